"""The static files of the page, which are part of the package."""

import hashlib
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
INDEX = "index.html"
_FOLDER, _BASE = "{{assets}}", "{{base}}"
"""Placeholders in the page: for the folder of its files, and for the element that its links are relative to."""


@dataclass(frozen=True, slots=True)
class Asset:
    """The content of a file, and its media type in responses."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """The page, and the other files by their paths. `digest` changes with any file, and with the prefix."""

    page: Asset
    others: dict[str, Asset]
    digest: str


def read_assets(folder: str, root_path: str) -> Assets:
    """Reads the files of the package. The page's links point into `{folder}/{digest}/` below the prefix `root_path`.

    Without a prefix the links are relative to the page.
    """
    found = dict(_walk(files("app.web") / "static", ""))
    hashed = hashlib.sha256(root_path.encode())
    for path, asset in sorted(found.items()):
        hashed.update(f"{path} {len(asset.content)}\n".encode() + asset.content)
    digest = hashed.hexdigest()[:16]
    page = found.pop(INDEX)
    base = f'<base href="{escape(root_path)}/">' if root_path else ""
    linked = page.content.decode().replace(_FOLDER, f"{folder}/{digest}").replace(_BASE, base)
    return Assets(Asset(linked.encode(), page.media_type), found, digest)


def _walk(directory: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found = []
    for entry in directory.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, f"{path}/")
        elif (kind := entry.name.rpartition(".")[2]) in MEDIA_TYPES:
            found.append((path, Asset(entry.read_bytes(), MEDIA_TYPES[kind])))
    return found

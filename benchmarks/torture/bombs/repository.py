"""Kind 8: files of the repository that are no files, or far too large. Needs a repository that it may write to."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from threading import Event

from benchmarks.torture.bombs.trick import Attack, Trick
from benchmarks.torture.clients import Request, send
from benchmarks.torture.served import Served

NAME = "hostile"
GB = 2**30


def _placing(make: Callable[[Path], None]) -> Attack:
    """Adds a version with this content, and has the server load it, again and again."""

    def run(server: Served, ended: Event, got: Counter[str]) -> None:
        folder = server.models / NAME / "1"
        try:
            folder.mkdir(parents=True)
            make(folder)
            while not ended.is_set():
                got[str(send(server.port, Request("POST", f"/v1/models/{NAME}/reload")).status)] += 1
        finally:
            rmtree(folder.parent)
            send(server.port, Request("POST", "/v1/reload"))

    return run


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def _nested_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("[" * 100_000)


def _huge_weights(folder: Path) -> None:
    whole = (folder.parent.parent / "demo/1/manifest.json").read_text()
    (folder / "manifest.json").write_text(whole.replace('"demo"', f'"{NAME}"'))
    (folder / "golden.safetensors").write_bytes(b"")
    _sparse(folder / "weights.safetensors", 20 * GB)


TRICKS = [
    Trick(8, "a manifest that is a pipe", _placing(lambda folder: os.mkfifo(folder / "manifest.json"))),
    Trick(
        8, "a manifest that is /dev/zero", _placing(lambda folder: (folder / "manifest.json").symlink_to("/dev/zero"))
    ),
    Trick(8, "a manifest of 10 GB", _placing(lambda folder: _sparse(folder / "manifest.json", 10 * GB))),
    Trick(8, "a manifest nested 100,000 deep", _placing(_nested_manifest)),
    Trick(8, "weights of 20 GB", _placing(_huge_weights)),
    Trick(8, "a manifest that is a directory", _placing(lambda folder: (folder / "manifest.json").mkdir())),
]

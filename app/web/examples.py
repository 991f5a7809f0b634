"""The example pictures that the page offers."""

from pathlib import Path

MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
"""The formats that every browser can display."""


def list_examples(directory: Path) -> list[Path]:
    """The pictures in a directory, sorted by name, without hidden files; empty if the directory cannot be read."""
    try:
        found = [path for path in directory.iterdir() if path.suffix.lower() in MEDIA_TYPES and path.is_file()]
    except OSError:
        return []
    return sorted(path for path in found if not path.name.startswith("."))

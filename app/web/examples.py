"""Pictures that the page offers to those who have none at hand."""

from pathlib import Path

MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
"""What every browser shows."""


def list_examples(directory: Path) -> list[Path]:
    """The pictures that lie in a directory now, by name; none if there is no such directory."""
    try:
        found = [path for path in directory.iterdir() if path.suffix.lower() in MEDIA_TYPES and path.is_file()]
    except OSError:
        return []
    return sorted(path for path in found if not path.name.startswith("."))

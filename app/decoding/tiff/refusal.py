"""The error for a TIFF whose tags describe pixels that are not read."""

from app.decoding.tiff.tags import Tag
from app.errors import UnsupportedImage


def refusal(tag: Tag, state: str, remedy: str) -> UnsupportedImage:
    """An error that names the tag, its state (`is 5`), and what would work."""
    return UnsupportedImage(f"This variant of TIFF is not read: {tag} {state}; {remedy}")

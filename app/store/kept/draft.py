"""A picture that is to be kept, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.store.kept.files import PictureFile
from app.store.kept.picture import Verdict


@dataclass(frozen=True, slots=True)
class Draft:
    """A picture that is to be kept.

    name: of its file, as the client gave it; may be empty
    format: of its file, as `KeptPicture.format`
    size: its (height, width) in pixels
    rule: the rule that chose it
    files: the picture, and what shows it
    """

    name: str
    format: str
    size: tuple[int, int]
    verdict: Verdict
    rule: str
    files: Mapping[PictureFile, bytes]


class Kept(StrEnum):
    """What became of a picture that was to be kept.

    kept: it is in the store
    known: the store has the same file with a verdict of this version, or a review of it
    full: reviewed pictures leave it too little of the bound of bytes, or the disk has too little room
    """

    kept = "kept"
    known = "known"
    full = "full"

"""Reasons why a prediction may be less reliable than others."""

from dataclasses import dataclass
from enum import StrEnum

from app.artifacts import Artifact
from app.tiling import Size


class NoteCode(StrEnum):
    """A reason why a prediction may be less reliable: the model was trained on pictures of other sizes (unseen_size),
    or the picture is smaller than a tile (smaller_than_tile). New values may be added.
    """

    unseen_size = "unseen_size"
    smaller_than_tile = "smaller_than_tile"


@dataclass(frozen=True, slots=True)
class Note:
    """A reason as a code, and as a sentence with the sizes."""

    code: NoteCode
    message: str


def notes(artifact: Artifact, size: Size) -> tuple[Note, ...]:
    """The notes on a picture of `(height, width)` pixels. Models that record no sizes have no `unseen_size`."""
    found = []
    seen = artifact.manifest.provenance.picture_sizes
    if seen and size not in seen:
        message = (
            f"the model was trained on pictures of {_in_words(*seen[:3])} pixels, and this one has {_in_words(size)}"
        )
        found.append(Note(NoteCode.unseen_size, message))
    tiling = artifact.model.tiling
    tiled = artifact.model.preprocessing.target_size(*size)
    if tiling.enable and any(edge < tile for edge, tile in zip(tiled, tiling.tile_size, strict=True)):
        message = f"a picture of {_in_words(tiled)} pixels is smaller than a tile of {_in_words(tiling.tile_size)}"
        found.append(Note(NoteCode.smaller_than_tile, message))
    return tuple(found)


def _in_words(*sizes: Size) -> str:
    return " or ".join(f"{width} x {height}" for height, width in sizes)

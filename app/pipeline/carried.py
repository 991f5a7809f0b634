"""What a band of a picture hands over to the next one."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from app.detectors import Features
from app.files import replacing
from app.tiling import Kept

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Carried:
    """All that later bands need of earlier ones, on the CPU.

    next_row: the first row of the map that was not made yet, at the size at which the picture is tiled
    kept: for each feature, the rows of cells that tiles of later bands change, see Stitcher
    distances: [h,w] of each layer of the map: those of cells that later rows of the map need
    tops: the rows of cells with which `distances` begin
    score_inputs: of the part so far that decides the score, see Detector.score_of; empty: none does
    map_values: [n] float32, of which the score of the map can be made, see MapScore.kept; None: it has none
    thumbnail: the distances [h,w] of the thumbnail's cells; None: there is none
    thumbnail_scale: the (height, width) of a pixel of the map, in cells of the thumbnail
    thumbnail_input: the thumbnail's input of the score; None: there is none
    resized: [n,w] the map's rows so far, of a picture that was resized; None: it was not
    """

    next_row: int
    kept: tuple[Kept, ...]
    distances: Features
    tops: tuple[int, ...]
    score_inputs: Sequence[Features]
    map_values: Tensor | None
    thumbnail: Tensor | None
    thumbnail_scale: tuple[float, float]
    thumbnail_input: Features | None
    resized: Tensor | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a prediction in bands has come.

    band: the number of the next band
    bands: the number of all bands of the picture
    divided: whether the bands are rows of blocks, which keep nothing of overlapping tiles for each other
    rows: the number of rows of the map that are done
    carried: what the next band needs
    """

    band: int
    bands: int
    divided: bool
    rows: int
    carried: Carried

    def write(self, path: Path) -> None:
        """Writes a file, which is complete or does not change. Raises OSError."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["carried"] = {field.name: _alone(getattr(self.carried, field.name)) for field in fields(self.carried)}
        with replacing(path) as temporary:
            torch.save(values, temporary)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """What `Checkpoint.write` wrote; None if there is no such file, or another version of this program wrote it.

    Raises OSError for a file that cannot be read.
    """
    try:
        found = torch.load(path, weights_only=True)
        return Checkpoint(**found | {"carried": Carried(**found["carried"])})
    except FileNotFoundError:
        return None
    except (RuntimeError, UnpicklingError, EOFError, KeyError, TypeError) as error:
        _log.warning("%s is not used, and the picture is predicted from its first row: %s", path, error)
        return None


def renumbered(carried: Carried, rows: int, strides: Sequence[int]) -> Carried:
    """With `rows` added to the numbers of all rows; a multiple of the `strides` of the map's layers.

    For pictures without a known end, whose numbers would grow. The next band must be numbered so, too.
    """
    tops = tuple(top + rows // stride for top, stride in zip(carried.tops, strides, strict=True))
    return replace(carried, next_row=carried.next_row + rows, tops=tops)


def moved(carried: Carried, device: torch.device | str) -> Carried:
    """With all tensors on the device."""
    return replace(carried, **{field.name: _mapped(getattr(carried, field.name), device) for field in fields(carried)})


def _mapped(value: Any, device: torch.device | str) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _mapped(each, device) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_mapped(each, device) for each in value)
    return value


def _alone(value: Any) -> Any:
    """Tensors with memory of their own: `torch.save` would write all of the memory that a tensor shares."""
    if isinstance(value, Tensor):
        return value.clone() if value.untyped_storage().nbytes() > value.nbytes else value
    if isinstance(value, dict):
        return {key: _alone(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(_alone, value))
    return value

"""Evaluating a model on labelled pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from app.data import LabelledPicture, OnUnreadable
from app.errors import InvalidArtifact, InvalidDataset
from app.evaluation.pixel_store import BLOCK, PixelStore, StoredPixels
from app.evaluation.reading import read
from app.evaluation.result import Evaluation, PictureResult, Unreadable
from app.evaluation.summary import Measured, summarise
from app.pipeline import Outcome, TiledModel, predict
from app.progress import Progress, silent
from app.scoring import Calibration
from app.tiling import Size


@dataclass(frozen=True, slots=True)
class Procedure:
    """How an evaluation is done: processes that decode pictures, tiles run at once (0: the model's own), what is done
    with pictures that cannot be read, where pixels are kept meanwhile (4 bytes each; None: where the system keeps
    temporary files), and how many of them are ranked at once."""

    workers: int = 2
    batch_tiles: int = 0
    on_unreadable: OnUnreadable = "stop"
    scratch: Path | None = None
    block: int = BLOCK


@dataclass(frozen=True, slots=True)
class EvaluatedPicture:
    """A picture as it was evaluated: pixels [C,H,W], the map [H,W] float32 on the CPU, not normalised, and the mask."""

    result: PictureResult
    image: Tensor
    anomaly_map: Tensor
    mask: NDArray[np.bool_] | None


def unseen(evaluated: EvaluatedPicture) -> None:
    """The observer of an evaluation that nobody watches."""


def evaluate(
    model: TiledModel,
    pictures: Sequence[LabelledPicture],
    calibration: Calibration | None,
    procedure: Procedure | None = None,
    progress: Progress = silent,
    observe: Callable[[EvaluatedPicture], None] = unseen,
) -> Evaluation:
    """How the model does on the pictures, by its raw scores and maps, at the pictures' own sizes.

    Without a calibration there is no threshold to judge. `observe` is shown every picture once. Memory holds a picture
    with its map and mask, the scores of all, and blocks of pixels: see PixelStore. Raises InvalidDataset if no picture
    is left, and for the first one that cannot be read unless the procedure skips those; InvalidArtifact if the model
    answers with what is not a number.
    """
    how = procedure or Procedure()
    measured: list[Measured] = []
    unreadable: list[Unreadable] = []
    with PixelStore(how.scratch, how.block) as store:
        for number, item in enumerate(read(pictures, how.workers, how.on_unreadable), start=1):
            if isinstance(item, Unreadable):
                unreadable.append(item)
            else:
                picture, image, mask = item
                outcome = predict(model, image, how.batch_tiles)
                result = _result(picture, outcome, calibration, mask.file_size if mask else None)
                evaluated = EvaluatedPicture(result, image, outcome.anomaly_map, mask.inside if mask else None)
                measured.append(Measured(result, _store(store, evaluated)))
                observe(evaluated)
            progress("pictures", number, len(pictures))
        if not measured:
            raise InvalidDataset(f"none of {len(pictures)} pictures to evaluate on could be read")
        return summarise(measured, unreadable, calibration, store, progress)


def _result(
    picture: LabelledPicture, outcome: Outcome, calibration: Calibration | None, mask_size: Size | None
) -> PictureResult:
    height, width = outcome.anomaly_map.shape
    peak = float(outcome.anomaly_map.max())
    if not (isfinite(peak) and isfinite(outcome.raw_score)):
        raise InvalidArtifact(f"the model's map or score of {picture.path} holds values that are not finite numbers")
    return PictureResult(
        picture.path,
        picture.kind,
        picture.anomalous,
        (height, width),
        mask_size,
        outcome.raw_score,
        peak,
        None if calibration is None else calibration.normalise_score(outcome.raw_score),
        None if calibration is None else outcome.raw_score > calibration.image_threshold,
    )


def _store(store: PixelStore, evaluated: EvaluatedPicture) -> StoredPixels | None:
    return None if evaluated.mask is None else store.add(evaluated.anomaly_map.numpy(), evaluated.mask)

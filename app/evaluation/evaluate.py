"""Evaluates a model on labelled pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from app.data import LabelledPicture, OnUnreadable
from app.errors import InvalidArtifact, InvalidDataset, NotFinite
from app.evaluation.mask import MaskFile
from app.evaluation.pixel_store import BLOCK, PixelStore, StoredPixels
from app.evaluation.reading import read
from app.evaluation.result import Evaluation, PictureResult, Unreadable
from app.evaluation.summary import Measured, summarise
from app.pipeline import Outcome, TiledModel, predict
from app.progress import Progress, silent
from app.scoring import Calibration, region_areas


@dataclass(frozen=True, slots=True)
class Procedure:
    """Resources of an evaluation, and its treatment of unreadable pictures.

    workers: the number of processes that decode pictures
    batch_tiles: the largest number of tiles in one batch; 0: the model's own
    on_unreadable: whether an unreadable picture stops the evaluation or is skipped
    scratch: the directory for the files of a PixelStore; None: the system's directory for temporary files
    block: the largest number of anomalous pixels that are ranked at once
    intervals: whether the result can be used for intervals, which need a few KB of memory for each picture
    """

    workers: int = 2
    batch_tiles: int = 0
    on_unreadable: OnUnreadable = "stop"
    scratch: Path | None = None
    block: int = BLOCK
    intervals: bool = False


@dataclass(frozen=True, slots=True)
class EvaluatedPicture:
    """A picture with its prediction and its mask."""

    result: PictureResult
    image: Tensor  # pixels [C,H,W]
    anomaly_map: Tensor  # [H,W] float32 on the CPU, not normalised
    mask: NDArray[np.bool_] | None  # [H,W], true in defects; None: it is not known where the defects are


def ignore_picture(evaluated: EvaluatedPicture) -> None:
    """Observes nothing."""


def evaluate(
    model: TiledModel,
    pictures: Sequence[LabelledPicture],
    calibration: Calibration | None,
    procedure: Procedure | None = None,
    progress: Progress = silent,
    observe: Callable[[EvaluatedPicture], None] = ignore_picture,
) -> Evaluation:
    """The metrics of the model on the pictures, from raw scores and maps, at the pictures' own sizes.

    Without a calibration, metrics at a threshold are missing. `observe` is called with every picture once. Memory holds
    one picture with its map and mask, the scores of all pictures, and blocks of pixels: see PixelStore. Raises
    InvalidDataset if no picture could be read, and for the first unreadable picture unless the procedure skips them.
    Raises InvalidArtifact if a map or a score is not finite.
    """
    procedure = procedure or Procedure()
    measured: list[Measured] = []
    unreadable: list[Unreadable] = []
    with PixelStore(procedure.scratch, procedure.block) as store:
        for number, item in enumerate(read(pictures, procedure.workers, procedure.on_unreadable), start=1):
            if isinstance(item, Unreadable):
                unreadable.append(item)
            else:
                picture, image, mask = item
                outcome = _outcome(model, picture, image, procedure.batch_tiles)
                result = _result(picture, outcome, calibration, mask.file)
                evaluated = EvaluatedPicture(result, image, outcome.anomaly_map, mask.inside)
                measured.append(Measured(result, _store(store, evaluated)))
                observe(evaluated)
            progress("pictures", number, len(pictures))
        if not measured:
            raise InvalidDataset(f"none of {len(pictures)} pictures to evaluate on could be read")
        return summarise(measured, unreadable, calibration, store, progress, intervals=procedure.intervals)


def _outcome(model: TiledModel, picture: LabelledPicture, image: Tensor, batch_tiles: int) -> Outcome:
    try:
        return predict(model, image, batch_tiles)
    except NotFinite as error:
        raise InvalidArtifact(
            f"the model's map or score of {picture.path} holds values that are not finite numbers (NaN or infinity)"
        ) from error


def _result(
    picture: LabelledPicture, outcome: Outcome, calibration: Calibration | None, mask: MaskFile | None
) -> PictureResult:
    height, width = outcome.anomaly_map.shape
    peak = float(outcome.anomaly_map.max())
    areas = None if calibration is None else region_areas(outcome.anomaly_map.numpy(), calibration.pixel_threshold)
    return PictureResult(
        picture.path,
        picture.kind,
        picture.anomalous,
        (height, width),
        mask,
        outcome.raw_score,
        peak,
        None if calibration is None else calibration.normalise_score(outcome.raw_score),
        None if calibration is None else outcome.raw_score > calibration.image_threshold,
        None if areas is None else len(areas),
        None if areas is None else int(areas.max(initial=0)),
    )


def _store(store: PixelStore, evaluated: EvaluatedPicture) -> StoredPixels | None:
    return None if evaluated.mask is None else store.add(evaluated.anomaly_map.numpy(), evaluated.mask)

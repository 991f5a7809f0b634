"""Fits detectors that need every picture only once."""

from collections.abc import Iterable
from time import perf_counter

import torch
from torch import Tensor

from app.detectors import Fitter, OnePassDetector
from app.pipeline import TiledModel
from app.pipeline.parts import FeatureStitcher
from app.progress import Progress, silent
from app.tiling import Size
from app.training.monitor import Monitor


@torch.inference_mode()
def fit(
    model: TiledModel,
    pictures: Iterable[Tensor],
    count: int,
    grid: Size,
    batch_tiles: int,
    progress: Progress = silent,
    *,
    monitor: Monitor | None = None,
) -> None:
    """Fits the model's detector to `count` pictures [C,H,W].

    `grid` is the (rows, columns) of cells of the first feature in the largest picture. `batch_tiles` is the largest
    number of tiles in one batch. With a `monitor`, the fit continues where an earlier one was interrupted; `pictures`
    are then those that it does not have yet.
    """
    assert isinstance(model.detector, OnePassDetector)
    fitter = model.detector.fitter(count, grid)
    known = monitor.begin(fitter) if monitor else 0
    if known:
        progress("pictures", known, count, "continues from its checkpoint")
    for number, picture in enumerate(pictures, start=known + 1):
        add_s = _add(model, picture, fitter, batch_tiles)
        progress("pictures", number, count)
        if monitor:
            monitor.added(fitter, add_s)

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        progress(stage, done, total, note)
        if monitor:
            monitor.save(fitter)

    fitter.finish(report)


def _add(model: TiledModel, picture: Tensor, fitter: Fitter, batch_tiles: int) -> float:
    """Adds a picture, and returns the seconds that the fitter took."""
    prepared = model.prepare(picture)
    stitcher, add_s = FeatureStitcher(prepared.plan), 0.0
    for features in model.outputs(prepared, batch_tiles):
        for rows, top in stitcher.add(features):
            started = perf_counter()
            fitter.add(rows, top)
            add_s += perf_counter() - started
    return add_s

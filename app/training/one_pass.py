"""Fits detectors that need every picture only once."""

from collections.abc import Iterable

import torch
from torch import Tensor

from app.detectors import OnePassDetector
from app.pipeline import TiledModel
from app.pipeline.parts import FeatureStitcher
from app.progress import Progress, silent
from app.tiling import Size


@torch.inference_mode()
def fit(
    model: TiledModel, pictures: Iterable[Tensor], count: int, grid: Size, batch_tiles: int, progress: Progress = silent
) -> None:
    """Fits the model's detector to `count` pictures [C,H,W].

    `grid` is the (rows, columns) of cells of the first feature in the largest picture. `batch_tiles` is the largest
    number of tiles in one batch.
    """
    assert isinstance(model.detector, OnePassDetector)
    fitter = model.detector.fitter(count, grid)
    for number, picture in enumerate(pictures, start=1):
        prepared = model.prepare(picture)
        stitcher = FeatureStitcher(prepared.plan)
        for features in model.outputs(prepared, batch_tiles):
            for rows, top in stitcher.add(features):
                fitter.add(rows, top)
        progress("pictures", number, count)
    fitter.finish(progress)

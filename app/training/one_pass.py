"""Fits detectors that need every picture only once."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from time import perf_counter
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from app.artifacts import AlikeRecord
from app.detectors import Features, Fitter, OnePassDetector
from app.pipeline import Prepared, TiledModel
from app.pipeline.finite import checksum, require_finite
from app.pipeline.parts import FeatureStitcher
from app.pipeline.thumbnail import ThumbnailSplitter
from app.progress import Progress, silent
from app.tiling import Size, TilePlan
from app.training.camera import CameraPictures
from app.training.feature_store import FeatureStore
from app.training.monitor import Monitor
from app.training.side_by_side import at_once, side_by_side
from app.training.unlike import Patches


@dataclass(frozen=True, slots=True)
class OnePassFit:
    """A finished fit.

    fitter: the fitter
    pictures: the pictures that it was fitted to, in their order
    store: the features of the first of them
    alike: those of them that are alike; None: none
    camera: the statistics of those that were read in this process
    unlike: those of them that were read in this process and look least like the rest, the most unlike first
    """

    fitter: Fitter
    pictures: Sequence[Path]
    store: FeatureStore
    alike: AlikeRecord | None = None
    camera: CameraPictures | None = None
    unlike: Sequence[Path] = ()


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
    store: FeatureStore | None = None,
    patches: Patches | None = None,
) -> Fitter:
    """Fits the model's detector to at most `count` pictures [C,H,W], and returns the fitter.

    `grid` is the (rows, columns) of cells of the first feature in the largest picture. `batch_tiles` is the largest
    number of tiles in one batch. With a `monitor`, the fit continues where an earlier one was interrupted; `pictures`
    are then those that it does not have yet. `store` keeps the features of these pictures, and `patches` a sample.

    Raises NotFinite for features that are NaN or infinite, before the fitter takes them.
    """
    assert isinstance(model.detector, OnePassDetector)
    fitter = model.detector.fitter(count, grid)
    known = monitor.begin(fitter) if monitor else 0
    if known:
        progress("pictures", known, count, "continues from its checkpoint")
    with closing(_with_features(model, pictures, batch_tiles)) as ahead:
        for number, (prepared, outputs) in enumerate(ahead, start=known + 1):
            kept = outputs if store is None else store.keep(prepared, outputs)
            add_s = add_features(fitter, prepared.plan, model.detector.feature_strides, kept, patches)
            progress("pictures", number, count)
            if monitor:
                monitor.added(fitter, add_s)

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        progress(stage, done, total, note)
        if monitor:
            monitor.save(fitter)

    fitter.finish(report)
    return fitter


def _with_features(
    model: TiledModel, pictures: Iterable[Tensor], batch_tiles: int
) -> Generator[tuple[Prepared, Iterator[Features]], None, None]:
    """Each picture, prepared, with the features of its tiles; take all of them before the next picture.

    The features are computed ahead, so that the network runs while a fitter works. All batches that are computed at
    once have at most `batch_tiles` tiles together, or one each.
    """
    workers = at_once(model.device)
    step = max(1, batch_tiles // workers)

    def batches() -> Iterator[tuple[int, Prepared, range]]:
        for number, picture in enumerate(pictures):
            prepared = model.prepare(picture)
            for first in range(0, prepared.plan.count, step):
                yield number, prepared, range(first, min(first + step, prepared.plan.count))

    def computed(batch: tuple[int, Prepared, range]) -> tuple[int, Prepared, Features]:
        number, prepared, indices = batch
        return number, prepared, model.run(model.cut(prepared, indices))

    with closing(side_by_side(computed, batches(), workers)) as found:
        for _, own in groupby(found, key=lambda each: each[0]):
            first = next(own)
            yield first[1], (features for _, _, features in chain([first], own))


class Taker(Protocol):
    """What takes the bands of stitched pictures, as fitters do."""

    def add(self, features: Features, top: int, left: int = 0) -> None:
        """See Fitter."""


@runtime_checkable
class ThumbnailTaker(Taker, Protocol):
    """What also takes thumbnails, as fitters of detectors do that measure them."""

    def add_thumbnail(self, features: Features) -> None:
        """See ThumbnailFitter."""


def add_features(
    fitter: Taker,
    plan: TilePlan,
    strides: Sequence[int],
    outputs: Iterable[Features],
    patches: Patches | None = None,
) -> float:
    """Adds the features of all tiles of a picture, and returns the seconds that the fitter took.

    `strides` are those of the features. `patches` keeps a sample of them. Raises NotFinite for features that are NaN or
    infinite, before the fitter gets them.
    """
    stitcher, splitter, add_s = FeatureStitcher(plan), ThumbnailSplitter(plan, strides), 0.0
    for features in outputs:
        in_grid, thumbnail = splitter.split(features)
        for rows, place in stitcher.add(in_grid):
            require_finite(checksum(rows))
            started = perf_counter()
            fitter.add(rows, *place)
            add_s += perf_counter() - started
            if patches is not None:
                patches.add(rows, *place)
        if thumbnail is not None:
            assert isinstance(fitter, ThumbnailTaker)
            require_finite(checksum(thumbnail))
            started = perf_counter()
            fitter.add_thumbnail(thumbnail)
            add_s += perf_counter() - started
    return add_s

"""Fits candidates side by side, and measures normal pictures with and without synthetic defects."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from app.detectors import Features, Fitter
from app.errors import InvalidTraining
from app.pipeline import Prepared, Roi
from app.pipeline.model import Assembly, completed
from app.pipeline.parts import FeatureStitcher
from app.progress import Progress, silent
from app.synthesis import KINDS, Defect, Place, add_defect, scattered
from app.tiling import TilePlan
from app.training.assessment import LARGEST_SHARE, around
from app.training.selection.candidates import Candidate
from app.training.selection.comparison import Pairs
from app.training.selection.measured import Measured, Scored
from app.training.selection.sharing import Group, Source

DIAMETERS = (8, 16, 32, 64)
"""In pixels of the picture. Smaller defects are found so seldom that they would prefer the finest features to those
that find most.
"""
CONTRASTS = (1.5, 3.0, 6.0)
DEFECTS = 96  # in all pictures together, about
PATCHES = 2**14  # of all pictures together, to which detectors without positions are fitted
SMALLEST = 4  # the diameter in pictures that are too small for all others
REACH = 32  # pixels around a defect that are computed again
DEFECT_PIXELS = 64  # pixels of a defect that stand for all


class Trial:
    """The candidates of some sources, and what they measured.

    fit_s, measure_s: the seconds that fitting and measuring took
    """

    def __init__(self, sources: Sequence[Source], batch_tiles: int, seed: int) -> None:
        self._sources, self._batch_tiles = sources, batch_tiles
        self._groups = [group for source in sources for group in source.groups]
        self._measured = {group: Measured(group) for group in self._groups}
        self._generator = torch.Generator().manual_seed(seed)
        self._owners: list[int] = []  # of each defect: the number of its picture
        self._pictures = 0  # measured
        self.fit_s = self.measure_s = 0.0

    @torch.inference_mode()
    def fit(self, pictures: Iterable[Tensor], count: int, progress: Progress) -> None:
        """Fits all candidates to `count` pictures [C,H,W]."""
        started = perf_counter()
        fitters = {group: _fitter(group, count) for group in self._groups}
        for number, picture in enumerate(pictures, start=1):
            for source in self._sources:
                self._add(source, source.model.prepare(picture), fitters, count)
            progress("candidates", number, count)
        for number, fitter in enumerate(fitters.values(), start=1):
            fitter.finish(silent)
            progress("fits", number, len(fitters))
        self.fit_s = perf_counter() - started

    @torch.inference_mode()
    def measure(self, pictures: Iterable[Tensor], count: int, progress: Progress) -> None:
        """Measures `count` pictures that were not fitted to, without and with defects."""
        started, each = perf_counter(), -(-DEFECTS // count)
        for picture in pictures:
            for source in self._sources:
                for group, scored in self._run(source, picture, None):
                    self._measured[group].add_normal(scored, self._generator)
            for defect, place in defects(picture, each, len(self._owners), self._generator):
                self._mark(picture, defect, place)
                self._owners.append(self._pictures)
            self._pictures += 1
            progress("trial defects", self._pictures, count)
        self.measure_s = perf_counter() - started

    def results(self) -> tuple[list[tuple[Candidate, Pairs, Pairs]], NDArray[np.int64]]:
        """The pairs of each candidate, by pictures' scores and by pixels; the number of defects in each picture.

        Raises InvalidTraining if no picture has room for a defect.
        """
        if not self._owners:
            raise InvalidTraining("the pictures are too small for synthetic defects; name a detector, such as Subspace")
        owners = np.array(self._owners, np.int64)
        found = [result for measured in self._measured.values() for result in measured.results(owners)]
        return found, np.bincount(owners, minlength=self._pictures)

    def _add(self, source: Source, prepared: Prepared, fitters: dict[Group, Fitter], count: int) -> None:
        stitchers = [FeatureStitcher(prepared.plan) for _ in source.embeddings]
        for batch in source.outputs(prepared, self._batch_tiles):
            for stitcher, (groups, features) in zip(stitchers, batch, strict=True):
                share = PATCHES / count / _cells(groups[0], prepared.plan)
                for rows, top in stitcher.add(features):
                    sampled = _sampled(rows, share, self._generator)
                    for group in groups:
                        fitters[group].add(sampled if _is_sampled(group) else rows, top)

    def _run(self, source: Source, picture: Tensor, roi: Roi | None) -> Iterator[tuple[Group, Scored]]:
        """The measurements of a picture, or of a region of it, by each group."""
        prepared = source.model.prepare(picture, roi, source.plan(picture.shape[-2], picture.shape[-1], roi))
        assemblies = {group: Assembly(group.model, prepared) for group in source.groups}
        for batch in source.outputs(prepared, self._batch_tiles):
            for groups, features in batch:
                for group in groups:
                    for _ in assemblies[group].add(features):
                        pass
        for group, assembly in assemblies.items():
            outcome = completed(assembly.finish())
            yield group, Scored(outcome.anomaly_map, assembly.score_inputs)

    def _mark(self, picture: Tensor, defect: Defect, place: Place) -> None:
        """Measures the picture with a defect: only the region around it is computed."""
        marked = picture.clone()
        mask = add_defect(marked, defect, place, self._generator)
        roi = around(place, defect.diameter, (picture.shape[-2], picture.shape[-1]), REACH)
        chosen = torch.randperm(int(mask.sum()), generator=self._generator)[:DEFECT_PIXELS]
        rows, columns = mask.nonzero()[chosen].T
        pixels = rows + place[0] - roi.top, columns + place[1] - roi.left
        for source in self._sources:
            for group, scored in self._run(source, marked, roi):
                self._measured[group].add_marked(scored, roi, scored.anomaly_map[pixels])


def defects(picture: Tensor, count: int, first: int, generator: Generator) -> list[tuple[Defect, Place]]:
    """Defects for a picture [C,H,W], of all diameters, contrasts and kinds in turn from number `first` on.

    Empty for a picture that is smaller than all defects.
    """
    height, width = picture.shape[-2:]
    sizes = [size for size in DIAMETERS if size <= LARGEST_SHARE * min(height, width)] or [SMALLEST]
    kinds = list(product(KINDS, CONTRASTS))
    found = []
    for number in range(first, first + count):
        kind, contrast = kinds[number // len(sizes) % len(kinds)]
        size = sizes[number % len(sizes)]
        (place,) = scattered(height, width, [size], 0, generator)
        if place is not None:
            found.append((Defect(kind, size, contrast), place))
    return found


def _fitter(group: Group, count: int) -> Fitter:
    grid = group.members[0].grid
    if _is_sampled(group):
        grid = 1, min(grid[0] * grid[1], PATCHES // count + grid[0])  # each band may add one more by rounding
    return group.detector.fitter(count, grid)


def _is_sampled(group: Group) -> bool:
    """Whether the group is fitted to a sample of each picture's cells; else it knows their positions."""
    return not group.detector.image_size_is_fixed and len(group.detector.feature_strides) == 1


def _cells(group: Group, plan: TilePlan) -> int:
    stride = group.detector.feature_strides[0]
    return plan.y.cells(stride) * plan.x.cells(stride)


def _sampled(rows: Features, share: float, generator: Generator) -> Features:
    """A random share of the cells of a band, at least one: [C,1,n] each."""
    cells = rows[0][0].numel()
    count = min(cells, max(1, round(cells * share)))
    chosen = torch.randperm(cells, generator=generator)[:count].to(rows[0].device)
    return tuple(each.flatten(1)[:, chosen].unsqueeze(1) for each in rows)

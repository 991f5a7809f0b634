"""Fits candidates side by side, and measures normal pictures with and without synthetic defects."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from time import perf_counter

import torch
from torch import Generator, Tensor

from app.detectors import Features, Fitter
from app.errors import InvalidTraining
from app.pipeline import Prepared, Roi
from app.pipeline.assembly import Assembly, completed
from app.pipeline.parts import FeatureStitcher
from app.progress import Progress, silent
from app.synthesis import Defect, Place, add_defect, scattered
from app.tiling import STRIP_PIXELS, TilePlan
from app.training.assessment import around
from app.training.selection.candidates import Candidate
from app.training.selection.comparison import DrawnDefects, Shares
from app.training.selection.measured import Measured, Scored
from app.training.selection.region import Region
from app.training.selection.sharing import Group, Source
from app.training.selection.trial_defects import DEFECTS, fitting, planned, tested
from app.training.side_by_side import at_once, side_by_side

PATCHES = 2**14  # of all pictures together, to which detectors without positions are fitted
REACH = 32  # pixels around a defect that are computed again
DEFECT_PIXELS = 64  # pixels of a defect that stand for all


class Trial:
    """The candidates of some sources, and what they measured.

    fitters: those of all groups, while pictures are added
    sampled: the number of patches of each picture to which groups without positions are fitted
    fit_s, measure_s: the seconds that fitting and measuring took
    """

    def __init__(self, sources: Sequence[Source], batch_tiles: int, seed: int) -> None:
        self._sources, self._batch_tiles = sources, batch_tiles
        self.groups = [group for source in sources for group in source.groups]
        self._measured = {group: Measured(group) for group in self.groups}
        self._generator = torch.Generator().manual_seed(seed)
        self._drawn: list[tuple[int, Defect]] = []  # the defects, with the numbers of their pictures
        self._pictures = 0  # measured
        self.fitters: dict[Group, Fitter] = {}
        self.sampled = 0.0
        self._added, self._network_s = 0, dict.fromkeys(map(id, sources), 0.0)
        self.fit_s = self.measure_s = 0.0

    @torch.inference_mode()
    def fit(
        self,
        pictures: Iterable[Tensor],
        count: int,
        progress: Progress,
        added: Callable[[Tensor], None] = lambda _: None,
    ) -> None:
        """Fits all candidates to `count` pictures [C,H,W]. Calls `added` after each picture."""
        started = perf_counter()
        self.fitters = {group: _fitter(group, count) for group in self.groups}
        self.sampled = PATCHES / count
        for number, picture in enumerate(pictures, start=1):
            for source in self._sources:
                began = perf_counter()
                self._add(source, source.model.prepare(picture), count)
                self._network_s[id(source)] += perf_counter() - began
            self._added = number
            progress("candidates", number, count)
            added(picture)
        for number, fitter in enumerate(self.fitters.values(), start=1):
            fitter.finish(silent)
            progress("fits", number, len(self.fitters))
        self.fit_s = perf_counter() - started

    @torch.inference_mode()
    def measure(self, pictures: Iterable[Tensor], count: int, progress: Progress) -> None:
        """Measures `count` pictures that were not fitted to, without and with defects."""
        started, each = perf_counter(), -(-DEFECTS // count)
        drawn = iter(planned(each * count, self._generator))
        for picture in pictures:
            for source in self._sources:
                for group, scored in self._run(source, picture):
                    self._measured[group].add_normal(scored, self._generator)
            for defect in islice(drawn, each):
                self._draw(fitting(defect, *picture.shape[-2:]), picture)
            self._pictures += 1
            progress("trial defects", self._pictures, count)
        self.measure_s = perf_counter() - started

    def results(self) -> tuple[list[tuple[Candidate, Shares, Shares]], DrawnDefects]:
        """The shares of each candidate, by pictures' scores and by pixels; and the defects.

        Raises InvalidTraining if no picture has room for a defect.
        """
        if not self._drawn:
            raise InvalidTraining("the pictures are too small for synthetic defects; name a detector, such as Subspace")
        return [result for measured in self._measured.values() for result in measured.results()], tested(self._drawn)

    def group_of(self, candidate: Candidate) -> Group:
        """The group that a candidate belongs to."""
        return next(group for group in self.groups if any(each.candidate == candidate for each in group.members))

    def network_s(self, candidate: Candidate) -> float:
        """The seconds in which the candidate's network runs a picture, so far."""
        group = self.group_of(candidate)
        return next(self._network_s[id(source)] for source in self._sources if group in source.groups) / self._added

    def rows(self, group: Group, picture: Tensor, roi: Roi | None = None) -> Iterator[tuple[Features, tuple[int, int]]]:
        """The stitched features of a picture, or of the tiles of a region, as a fitter takes them.

        Each comes with its first row and column.
        """
        source = next(source for source in self._sources if group in source.groups)
        prepared = source.model.prepare(picture, roi, source.plan(picture.shape[-2], picture.shape[-1], roi))
        stitcher = FeatureStitcher(prepared.plan)
        for batch in source.outputs(prepared, self._batch_tiles):
            for groups, features in batch:
                if group in groups:
                    yield from stitcher.add(features)

    def _add(self, source: Source, prepared: Prepared, count: int) -> None:
        stitchers = [FeatureStitcher(prepared.plan) for _ in source.embeddings]
        for batch in source.outputs(prepared, self._batch_tiles):
            for stitcher, (groups, features) in zip(stitchers, batch, strict=True):
                share = PATCHES / count / cells_of(groups[0], prepared.plan)
                for rows, place in stitcher.add(features):
                    sampled = _sampled(rows, share, self._generator)
                    for group in groups:
                        self.fitters[group].add(sampled if is_sampled(group) else rows, *place)

    def _run(self, source: Source, picture: Tensor) -> Iterator[tuple[Group, Scored]]:
        """The measurements of a picture by each group."""
        prepared = source.model.prepare(picture)
        assemblies = {group: Assembly(group.model, prepared) for group in source.groups}
        workers = at_once(source.model.device)

        @torch.inference_mode()
        def add(pair: tuple[Group, Features]) -> None:
            for _ in assemblies[pair[0]].add(pair[1]):
                pass

        @torch.inference_mode()
        def finish(group: Group) -> tuple[Group, Scored]:
            outcome = completed(assemblies[group].finish())
            return group, Scored(outcome.anomaly_map, assemblies[group].inputs, assemblies[group].distances)

        for batch in source.outputs(prepared, self._batch_tiles):
            pairs = [(group, features) for groups, features in batch for group in groups]
            for _ in side_by_side(add, pairs, workers):
                pass
        yield from side_by_side(finish, source.groups, workers)

    def _run_region(self, source: Source, picture: Tensor, roi: Roi) -> Iterator[tuple[Group, Scored]]:
        """The measurements of a region of a picture by each group.

        Cells outside the region keep the distances of the picture without the defect.
        """
        plan = source.plan(picture.shape[-2], picture.shape[-1], roi)
        prepared = source.model.prepare(picture, roi, plan)
        stitchers = [FeatureStitcher(plan) for _ in source.embeddings]
        bands: list[tuple[list[Group], Features, tuple[int, int]]] = []
        for batch in source.outputs(prepared, self._batch_tiles):
            for stitcher, (groups, features) in zip(stitchers, batch, strict=True):
                for rows, place in stitcher.add(features):
                    bands.append((groups, tuple(each.clone() for each in rows), place))

        @torch.inference_mode()
        def measured(group: Group) -> tuple[Group, Scored]:
            region = Region(group, prepared, self._measured[group].distances)
            for groups, rows, place in bands:
                if group in groups:
                    region.add(rows, *place)
            return group, region.finish()

        yield from side_by_side(measured, source.groups, at_once(source.model.device))

    def _draw(self, defect: Defect, picture: Tensor) -> None:
        """Measures the picture with the defect at a random place, if it has room."""
        height, width = picture.shape[-2:]
        (place,) = scattered(height, width, [defect.diameter], 0, self._generator)
        if place is not None:
            self._mark(picture, defect, place)
            self._drawn.append((self._pictures, defect))

    def _mark(self, picture: Tensor, defect: Defect, place: Place) -> None:
        """Measures the picture with a defect: only the region around it is computed."""
        marked = picture.clone()
        mask = add_defect(marked, defect, place, self._generator)
        roi = around(place, defect.diameter, (picture.shape[-2], picture.shape[-1]), REACH)
        chosen = torch.randperm(int(mask.sum()), generator=self._generator)[:DEFECT_PIXELS]
        rows, columns = mask.nonzero()[chosen].T
        pixels = rows + place[0] - roi.top, columns + place[1] - roi.left
        for source in self._sources:
            for group, scored in self._run_region(source, marked, roi):
                self._measured[group].add_marked(scored, roi, scored.anomaly_map[pixels])


def _fitter(group: Group, count: int) -> Fitter:
    grid = group.members[0].grid
    if is_sampled(group):
        strips = -(-grid[1] * group.detector.feature_strides[0] // STRIP_PIXELS)
        # Each band may add one more by rounding.
        grid = 1, min(grid[0] * grid[1], PATCHES // count + grid[0] * strips)
    return group.detector.fitter(count, grid)


def is_sampled(group: Group) -> bool:
    """Whether the group is fitted to a sample of each picture's cells; else it knows their positions."""
    return not group.detector.image_size_is_fixed and len(group.detector.feature_strides) == 1


def cells_of(group: Group, plan: TilePlan) -> int:
    stride = group.detector.feature_strides[0]
    return plan.y.cells(stride) * plan.x.cells(stride)


def _sampled(rows: Features, share: float, generator: Generator) -> Features:
    """A random share of the cells of a band, at least one: [C,1,n] each."""
    cells = rows[0][0].numel()
    count = min(cells, max(1, round(cells * share)))
    chosen = torch.randperm(cells, generator=generator)[:count].to(rows[0].device)
    return tuple(each.flatten(1)[:, chosen].unsqueeze(1) for each in rows)

"""Finds, with few marks, the size of each kind and contrast that a model finds with 95 % probability.

The next size of a kind and contrast follows from its trials so far. Half of the sizes are those of which probably 50 or
95 % are found, where a trial says most about the curve. The others are twice as large as those of 95 %: only many such
marks show that few are missed at any size. Each round tries one mark of each kind and contrast.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import inf, sqrt
from time import monotonic

import torch
from torch import Generator

from app.artifacts import FalseAlarmRecord, GradeRecord, PlaceRecord, TriedRecord
from app.errors import InvalidParameter
from app.evaluation.certificate.pictures import MarkedPictures, Sight, cells
from app.pipeline import Roi
from app.progress import Progress, silent
from app.scoring import Detection, Tried, fit_detection, place_factors, share_interval
from app.synthesis import MARK_KINDS, Mark
from app.tiling import Size

SIZES = (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 256)
"""The sizes that may be tried, in pixels: each about half an octave from the next."""

LARGEST_SHARE = 0.4
"""The square of a mark is at most so long, as a share of the shortest edge of the pictures."""

WANTED = (0.5, None, 0.95, None)
"""The probabilities of detection that are aimed at in turn. None: twice the size of 95 %, where only lapses are missed;
that 95 % are found takes many marks there to show.
"""

PLACES = 24  # cells of the map, about
ATTEMPTS = 8  # cells that are tried for one mark
PATIENCE = 3  # marks of a size without a place, after which the size is left out


@dataclass(frozen=True, slots=True)
class Plan:
    """What to try.

    contrasts: shares of a pixel's value, above 0 and at most 1
    marks: the number of marks of each kind and contrast, 10 to 1000
    budget_s: the time in seconds after which no further round begins; None: no limit
    kinds: keys of MARK_KINDS
    """

    contrasts: tuple[float, ...] = (0.1, 0.3)
    marks: int = 120
    budget_s: float | None = None
    seed: int = 0
    kinds: tuple[str, ...] = tuple(MARK_KINDS)

    def __post_init__(self) -> None:
        if not 1 <= len(self.contrasts) <= 8 or len(set(self.contrasts)) < len(self.contrasts):
            raise InvalidParameter(f"contrasts are {list(self.contrasts)}; give 1 to 8 different ones")
        for contrast in self.contrasts:
            if not 0 < contrast <= 1:
                raise InvalidParameter(f"a contrast is {contrast}; use shares above 0 and at most 1, such as 0.25")
        if not 10 <= self.marks <= 1000:
            raise InvalidParameter(f"marks is {self.marks}; use 10 to 1000 for each kind and contrast")
        if self.budget_s is not None and not 1 <= self.budget_s < inf:
            raise InvalidParameter(f"budget is {self.budget_s:g} s; use 1 s or more, such as 5m")


@dataclass(slots=True)
class Grade:
    """The trials of a kind and contrast.

    sights: the marks that were drawn
    unplaced: how many marks of each size found no place
    """

    kind: str
    contrast: float
    sizes: tuple[int, ...]
    sights: list[Sight] = field(default_factory=list)
    unplaced: dict[int, int] = field(default_factory=dict)

    @property
    def tried(self) -> list[Tried]:
        """The trials by rising size."""
        own = {size: [each.found for each in self.sights if each.mark.size == size] for size in self.sizes}
        return [Tried(size, len(found), sum(found)) for size, found in own.items() if found]

    @property
    def curve(self) -> Detection:
        """The probability of detection by size, after at least one trial."""
        return fit_detection(self.tried)

    def next_size(self) -> int | None:
        """The size to try next; None: no size has a place."""
        sizes = [size for size in self.sizes if self.unplaced.get(size, 0) < PATIENCE]
        if not sizes or not self.sights:
            return sizes[len(sizes) // 2] if sizes else None
        wanted, curve = WANTED[len(self.sights) % len(WANTED)], self.curve
        aim = curve.size(wanted) if wanted else 2 * curve.size()
        return min(sizes, key=lambda size: abs(size - aim) if aim < inf else -size)

    def record(self) -> GradeRecord:
        """The size of 95 % with its interval."""
        if not self.sights:
            return GradeRecord(kind=self.kind, contrast=self.contrast)
        tried = self.tried
        curve, least, most = self.curve, tried[0].size, tried[-1].size
        size, (low, high) = max(curve.size(), least), curve.size_interval()
        known = size <= most
        return GradeRecord(
            kind=self.kind,
            contrast=self.contrast,
            smallest=round(size, 2) if known else None,
            low=round(low, 2) if least <= low <= most else None,
            high=round(max(high, least), 2) if high <= most else None,
            tried=tuple(TriedRecord(size=int(each.size), tried=each.tried, found=each.found) for each in tried),
        )


@dataclass(frozen=True, slots=True)
class Certified:
    """What was measured: see app.artifacts.CertificateRecord.

    marks: the number of rounds, each with a mark of each kind and contrast
    """

    grades: tuple[Grade, ...]
    grid: Size
    places: tuple[PlaceRecord, ...]
    false_alarms: FalseAlarmRecord
    marks: int


def certify(
    pictures: MarkedPictures, plan: Plan, progress: Progress = silent, clock: Callable[[], float] = monotonic
) -> Certified:
    """Draws marks into the pictures until the plan is fulfilled.

    The seed and the number of rounds determine the result; with a budget, the number of rounds depends on the speed of
    the machine. Raises InvalidDataset without pictures.
    """
    pictures.require_some()
    grades = [
        Grade(kind, contrast, _sizes(kind, pictures.shortest_edge))
        for kind, contrast in product(plan.kinds, plan.contrasts)
    ]
    grid = _grid(pictures.size)
    rounds = _Rounds(pictures, grid, torch.Generator().manual_seed(plan.seed))
    started, done = clock(), 0
    while done < plan.marks:
        for grade in grades:
            rounds.next(grade)
        done += 1
        spent = clock() - started
        if done == 1:
            progress("estimate", 1, 1, _estimate(spent, len(grades), plan))
        progress("marks", done * len(grades), plan.marks * len(grades))
        if plan.budget_s is not None and spent + spent / done > plan.budget_s:
            break
    low, high = share_interval(pictures.alarms, len(pictures))
    alarms = FalseAlarmRecord(pictures=len(pictures), exceeded=pictures.alarms, low=low, high=high)
    return Certified(tuple(grades), grid, _places(grades, grid), alarms, done)


def _estimate(round_s: float, grades: int, plan: Plan) -> str:
    marks = plan.marks
    if plan.budget_s is not None:
        marks = max(1, min(marks, int(plan.budget_s / max(round_s, 1e-6))))
    seconds = round(round_s * marks)
    return f"{seconds // 60} min {seconds % 60} s for {marks * grades} marks, {marks} of each kind and contrast"


class _Rounds:
    """Tries marks at cells of the grid: all cells equally often, in random order."""

    def __init__(self, pictures: MarkedPictures, grid: Size, generator: Generator) -> None:
        self._pictures, self._grid, self._generator = pictures, grid, generator
        self._cells, self._order = list(cells(grid)), list[int]()
        self._number = 0  # of the picture

    def next(self, grade: Grade) -> None:
        """Tries a mark of the next size at the next cells, until it has a place."""
        size = grade.next_size()
        if size is None:
            return
        mark = Mark(grade.kind, size, grade.contrast)
        for _ in range(ATTEMPTS):
            sight = self._pictures.try_mark(
                self._number % len(self._pictures), mark, self._cell(), self._grid, self._generator
            )
            self._number += 1
            if sight is not None:
                grade.sights.append(sight)
                return
        grade.unplaced[size] = grade.unplaced.get(size, 0) + 1

    def _cell(self) -> Roi:
        if not self._order:
            self._order = torch.randperm(len(self._cells), generator=self._generator).tolist()
        return self._cells[self._order.pop()]


def largest_size(kind: str, shortest_edge: int) -> int:
    """The largest size in pixels that is drawn into pictures with this shortest edge."""
    return _sizes(kind, shortest_edge)[-1]


def _sizes(kind: str, shortest: int) -> tuple[int, ...]:
    """The sizes of a kind that fit into pictures with this shortest edge; at least one."""
    room, own = LARGEST_SHARE * shortest, MARK_KINDS[kind]
    return tuple(size for size in SIZES if size >= own.least and own.edge(size) <= room) or (own.least,)


def _grid(size: Size) -> Size:
    """Rows and columns of about `PLACES` cells that are about square."""
    rows = min(max(round(sqrt(PLACES * size[0] / size[1])), 1), PLACES)
    return rows, max(round(PLACES / rows), 1)


def _places(grades: Sequence[Grade], grid: Size) -> tuple[PlaceRecord, ...]:
    """How each cell of the grid compares with the whole."""
    trials: dict[tuple[int, int], list[tuple[Detection, float, bool]]] = {}
    for grade in grades:
        curve = grade.curve if grade.sights else None
        for sight in grade.sights:
            row, column = (min(int(share * count), count - 1) for share, count in zip(sight.at, grid, strict=True))
            assert curve is not None
            trials.setdefault((row, column), []).append((curve, sight.mark.size, sight.found))
    found = []
    for cell in cells(grid):
        own = trials.get((cell.top, cell.left), [])
        factor, (low, high) = place_factors(own)
        hits = sum(each[2] for each in own)
        values = {"factor": round(factor, 3), "low": round(low, 3), "high": round(high, 3)}
        found.append(PlaceRecord(tried=len(own), found=hits, **values))
    return tuple(found)

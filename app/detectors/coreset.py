"""Greedy k-center selection: farthest-first traversal (Gonzalez 1985).

PatchCore selects its memory bank with it: Roth et al. 2022 (arXiv:2106.08265), algorithm 1.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from app.detectors.bounded import LARGEST, has_fast_int8
from app.detectors.coded_points import MOST, CodedPoints, coding_bytes
from app.trials import Timer

LEAF = 1024  # the largest set whose centres are picked one by one: it stays in the processor's cache
FANOUT = 8  # each nested set of candidates is smaller by this factor
SWEEP_ROWS = 4096
SWEEP_CENTRES = 256
CODED_POINTS, CODED_CENTRES = 32768, 2048  # the smallest numbers of points and centres for which codes pay
TRIAL_SHARE = 4  # a trial of the time compares points with one in so many of the centres
FIRST, FEWEST = 256, 64  # the smallest numbers of known and of new centres for which an update by codes pays


@dataclass(frozen=True, slots=True)
class Selection:
    """The first centres of a traversal, from which it continues with the same result, bit for bit.

    chosen: [k] int64, their indices
    bounds: [N], the squared distance of each point to the nearest of these centres
    """

    chosen: Tensor
    bounds: Tensor


def k_center_greedy(
    points: Tensor,
    count: int,
    first: int = 0,
    progress: Callable[[int, int], None] | None = None,
    *,
    known: Selection | None = None,
    keep: Callable[[Selection], None] | None = None,
    spacing: float = 0.0,
) -> Tensor:
    """Indices of `count` of the points [N,C], [count] int64: `first`, then always the point farthest from all before.

    With a `spacing`, the selection ends early, before a point that is nearer than that to a point before.

    The selection is exact; distances are updated lazily. A distance to the nearest centre can only shrink as centres
    are added, so an outdated distance is an upper bound. Centres are picked among the few points with the largest
    bounds, as long as the farthest of these points is farther than every bound outside. Only then are the other points
    updated, with all new centres in one matrix product. Each set of candidates is divided in the same way, so the sets
    are nested. With many points and centres, on a CPU, codes rule out most centres that are not nearer to a point.
    `progress` receives the numbers done and total. `keep` receives selections whenever all distances are updated; a
    later call with one of them as `known` continues from there.
    """
    if not 1 <= count <= len(points):
        raise ValueError(f"count is {count}; use 1 to {len(points)}, the number of points")
    ids, bounds = torch.arange(len(points), device=points.device), points.new_full((len(points),), torch.inf)
    candidates = _Candidates(points, ids, bounds, swept=0)
    if known is None:
        traversal = _Traversal(points, count, torch.tensor([first], device=points.device), progress)
    else:
        candidates.bounds.copy_(known.bounds)
        candidates.swept = len(known.chosen)
        traversal = _Traversal(points, count, known.chosen.to(points.device), progress)
    if _codes_pay(len(points), count) and _can_be_coded(points, candidates.norms):
        candidates.codes = CodedPoints.of(points, has_fast_int8())
    traversal.extend(candidates, floor=spacing**2 if spacing > 0 else -1.0, keep=keep)
    return torch.stack(traversal.chosen)


def selection_seconds(sample: Tensor, points: int, count: int, seconds: Timer) -> float:
    """The estimated seconds of `k_center_greedy` for this many points and centres, from trials with sample points.

    sample: [n,C], like the points; `seconds` runs work and measures its time. Each centre is picked among few points,
    and is compared with all points once, and with the nested sets once each. The more centres are known, the more pairs
    codes rule out, so the trial grows with `count`.
    """
    picked = min(FIRST, len(sample))
    pick_s = seconds(lambda: k_center_greedy(sample[:LEAF], picked)) / picked
    step = max(len(sample) // min(max(count // TRIAL_SHARE, FIRST), MOST), 2)
    known, new = sample[::step], sample[1::step]
    candidates = _Candidates(sample, torch.arange(len(sample)), sample.new_full((len(sample),), torch.inf), swept=0)
    candidates.sweep(known)
    if _codes_pay(points, count) and _can_be_coded(sample, candidates.norms):
        candidates.codes = CodedPoints.of(sample, has_fast_int8())
    compare_s = seconds(lambda: candidates.sweep(torch.cat([known, new]))) / (len(sample) * len(new))
    return count * (pick_s + compare_s * points * FANOUT / (FANOUT - 1))


def selection_bytes(points: int, count: int) -> int:
    """The bytes that `k_center_greedy` takes on a CPU besides the points, its subsets of them, and the centres."""
    return coding_bytes(points + points // FANOUT, has_fast_int8()) if _codes_pay(points, count) else 0


def _codes_pay(points: int, count: int) -> bool:
    return points >= CODED_POINTS and count >= CODED_CENTRES


def _can_be_coded(points: Tensor, norms: Tensor) -> bool:
    return points.device.type == "cpu" and points.dtype == torch.float32 and bool(norms.amax() < LARGEST)


class _Candidates:
    """Points with upper bounds of their squared distance to the nearest centre."""

    def __init__(self, points: Tensor, ids: Tensor, bounds: Tensor, swept: int) -> None:
        self.points, self.ids, self.bounds = points, ids, bounds
        self.swept = swept  # the number of centres that the bounds include
        self.norms = torch.linalg.vector_norm(points, dim=1).square_()  # no copy of the points
        self.codes: CodedPoints | None = None

    def sweep(self, centres: Tensor) -> None:
        """Updates the bounds with all `centres` [k,C]. Then the bounds are exact."""
        while self.swept < len(centres):
            if self.codes is not None and self.swept >= FIRST and len(centres) - self.swept >= FEWEST:
                new = centres[self.swept : self.swept + min(self.swept, MOST)]
                many = self.codes.update(self.points, self.bounds, new)
                for some in torch.split(new, SWEEP_CENTRES):
                    self._compare(some, torch.split(many, SWEEP_ROWS))
            else:
                new = centres[self.swept : self.swept + SWEEP_CENTRES]
                starts = range(0, len(self.points), SWEEP_ROWS)
                self._compare(new, (slice(start, start + SWEEP_ROWS) for start in starts))
            self.swept += len(new)

    def _compare(self, new: Tensor, steps: Iterable[slice | Tensor]) -> None:
        """Updates the bounds of the points at the indices `steps` with all new centres."""
        norms, factors = (new * new).sum(1), -2 * new.T
        for rows in steps:
            nearest = torch.addmm(norms, self.points[rows], factors).amin(1)  # ||y||^2 - 2 x.y
            self.bounds[rows] = torch.minimum(self.bounds[rows], nearest.add_(self.norms[rows]))

    def top(self, count: int) -> tuple["_Candidates", float]:
        """The `count` points with the largest bounds, and the largest bound among the others."""
        bounds, places = self.bounds.topk(count + 1)
        places = places[:-1]
        chosen = _Candidates(self.points[places], self.ids[places], bounds[:-1].clone(), self.swept)
        if self.codes is not None and count > LEAF:
            chosen.codes = self.codes.select(places)
        return chosen, float(bounds[-1])


class _Traversal:
    """The centres chosen so far."""

    def __init__(self, points: Tensor, count: int, known: Tensor, progress: Callable[[int, int], None] | None) -> None:
        self.count, self._progress = count, progress
        self.chosen: list[Tensor] = []
        self.centres = points.new_empty(count, points.shape[1])
        self.taken = torch.zeros(len(points), dtype=torch.bool, device=points.device)
        self.chosen.extend(known.unbind())
        self.centres[: len(known)] = points[known]
        self.taken[known] = True
        self._report()

    def extend(self, candidates: _Candidates, floor: float, keep: Callable[[Selection], None] | None = None) -> None:
        """Adds centres from the candidates until there are enough, or the farthest candidate is nearer than `floor`."""
        while len(self.chosen) < self.count:
            candidates.sweep(self.centres[: len(self.chosen)])
            # Rounding or an equal point must not select a point again.
            candidates.bounds[self.taken[candidates.ids]] = -1.0
            if keep is not None:
                keep(Selection(torch.stack(self.chosen), candidates.bounds.clone()))
            farthest = candidates.bounds.argmax()
            if float(candidates.bounds[farthest]) < floor:
                return
            if len(candidates.points) > LEAF:
                inner, outside = candidates.top(max(len(candidates.points) // FANOUT, LEAF))
                self.extend(inner, max(floor, outside))
            else:
                self._add(candidates.points[farthest], candidates.ids[farthest])

    def _add(self, point: Tensor, index: Tensor) -> None:
        self.centres[len(self.chosen)] = point
        self.chosen.append(index)
        self.taken[index] = True
        self._report()

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(len(self.chosen), self.count)

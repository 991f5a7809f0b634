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

LEAF = 256  # the largest set whose centres are picked one by one, by the distances of all its pairs
FANOUT = 8  # each nested set of candidates is smaller by this factor
SWEEP_ROWS = 4096
SWEEP_CENTRES = 256
CODED_POINTS, CODED_CENTRES = 32768, 2048  # the smallest numbers of points and centres for which codes pay
PICK_LEAVES = 4  # the size of the set in a trial of picks, as a multiple of LEAF
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
    are nested. In the smallest sets, one matrix product gives the distances of all pairs of points, so that a pick
    reads one row of them. With many points and centres, on a CPU, codes rule out most centres that are not nearer to a
    point.

    `progress` receives the numbers done and total. `keep` receives selections whenever all distances are updated; a
    later call with one of them as `known` continues from there.
    """
    if not 1 <= count <= len(points):
        raise ValueError(f"count is {count}; use 1 to {len(points)}, the number of points")
    ids, bounds = torch.arange(len(points), device=points.device), points.new_full((len(points),), torch.inf)
    candidates = _Candidates(points, ids, bounds, _squared_lengths(points), swept=0)
    if known is None:
        traversal = _Traversal(points, count, torch.tensor([first], device=points.device), progress)
    else:
        candidates.bounds.copy_(known.bounds)
        candidates.swept = len(known.chosen)
        traversal = _Traversal(points, count, known.chosen.to(points.device), progress)
    if _codes_pay(len(points), count) and _can_be_coded(points, candidates.norms):
        candidates.codes = CodedPoints.of(points, has_fast_int8())
    traversal.extend(candidates, floor=spacing**2 if spacing > 0 else -1.0, keep=keep)
    return traversal.chosen


def selection_seconds(sample: Tensor, points: int, count: int, seconds: Timer) -> float:
    """The estimated seconds of `k_center_greedy` for this many points and centres, from trials with sample points.

    sample: [n,C], like the points; `seconds` runs work and measures its time. Each centre is picked among few points,
    and is compared with all points once, and with the nested sets once each. The more centres are known, the more pairs
    codes rule out, so the trial grows with `count`.
    """
    picked = min(FIRST, len(sample))
    pick_s = seconds(lambda: k_center_greedy(sample[: PICK_LEAVES * LEAF], picked)) / picked
    step = max(len(sample) // min(max(count // TRIAL_SHARE, FIRST), MOST), 2)
    known, new = sample[::step], sample[1::step]
    bounds, ids = sample.new_full((len(sample),), torch.inf), torch.arange(len(sample))
    candidates = _Candidates(sample, ids, bounds, _squared_lengths(sample), swept=0)
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


def _squared_lengths(points: Tensor) -> Tensor:
    squares: Tensor = torch.linalg.vector_norm(points, dim=1).square_()  # no copy of the points
    return squares


class _Candidates:
    """Points, their squared lengths `norms`, and upper bounds of their squared distance to the nearest centre."""

    def __init__(self, points: Tensor, ids: Tensor, bounds: Tensor, norms: Tensor, swept: int) -> None:
        self.points, self.ids, self.bounds, self.norms = points, ids, bounds, norms
        self.swept = swept  # the number of centres that the bounds include
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
        points, ids, norms = self.points[places], self.ids[places], self.norms[places]
        chosen = _Candidates(points, ids, bounds[:-1].clone(), norms, self.swept)
        if self.codes is not None and count > LEAF:
            chosen.codes = self.codes.select(places)
        return chosen, float(bounds[-1])


class _Traversal:
    """The centres chosen so far."""

    def __init__(self, points: Tensor, count: int, known: Tensor, progress: Callable[[int, int], None] | None) -> None:
        self.count, self._progress = count, progress
        self._chosen = torch.empty(count, dtype=torch.int64, device=points.device)
        self._centres = points.new_empty(count, points.shape[1])
        self.taken = torch.zeros(len(points), dtype=torch.bool, device=points.device)
        self._known = 0
        self._add(known, points[known])
        self._report(self._known)

    @property
    def chosen(self) -> Tensor:
        """The indices of the centres, [k] int64."""
        return self._chosen[: self._known]

    def extend(self, candidates: _Candidates, floor: float, keep: Callable[[Selection], None] | None = None) -> None:
        """Adds centres from the candidates until there are enough, or the farthest candidate is nearer than `floor`."""
        while self._known < self.count:
            candidates.sweep(self._centres[: self._known])
            # Rounding or an equal point must not select a point again.
            candidates.bounds[self.taken[candidates.ids]] = -1.0
            if keep is not None:
                keep(Selection(self.chosen.clone(), candidates.bounds.clone()))
            if float(candidates.bounds.amax()) < floor:
                return
            if len(candidates.points) > LEAF:
                inner, outside = candidates.top(max(len(candidates.points) // FANOUT, LEAF))
                self.extend(inner, max(floor, outside))
            else:
                picked = self._picked(candidates, floor)
                self._add(candidates.ids[picked], candidates.points[picked])

    def _picked(self, candidates: _Candidates, floor: float) -> Tensor:
        """The places, among a small set of candidates, of the next centres: at least one if the set has any.

        The last one of these is the last of all, or no other candidate is as far as `floor`.
        """
        points, norms, bounds = candidates.points, candidates.norms, candidates.bounds.clone()
        squares = torch.addmm(norms, points, points.T, alpha=-2).add_(norms[:, None]).clamp_(min=0)
        picked: list[int] = []
        wanted = self.count - self._known
        while len(picked) < wanted:
            farthest, place = bounds.max(0)
            if float(farthest) < floor:
                break
            picked.append(int(place))
            torch.fmin(bounds, squares[picked[-1]], out=bounds)  # unlike `minimum`, keeps -1 beside NaN
            bounds[picked[-1]] = -1.0
            self._report(self._known + len(picked))
        return torch.tensor(picked, device=points.device)

    def _add(self, indices: Tensor, points: Tensor) -> None:
        own = slice(self._known, self._known + len(indices))
        self._chosen[own], self._centres[own] = indices, points
        self.taken[indices] = True
        self._known = own.stop

    def _report(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, self.count)

"""Updates the distances of points to their nearest centre when new centres are added.

Distances in the small space of `small_space.py` are never longer than the true distances. So codes rule out most pairs
of a point and a new centre. The few other pairs are computed in float32.
"""

import torch
from torch import Tensor

from app.detectors.bounded import SIZES
from app.detectors.coded_bank import GROUP, CodedBank
from app.detectors.pairs import PairDistances
from app.detectors.small_space import Codes, SmallSpace

STEP, MOST = 2048, 4096  # the largest numbers of points and centres whose products are computed at a time
SAMPLE = 4096  # the largest number of points from which the small space is computed


class CodedPoints:
    """The codes of points [n,C] float32 on a CPU. The points' squared lengths must be finite."""

    def __init__(self, space: SmallSpace, codes: Codes) -> None:
        self._space, self._codes = space, codes

    @classmethod
    def of(cls, points: Tensor, int8: bool) -> "CodedPoints":
        """The codes of points, in 8 bits or float32, in a small space computed from a sample of the points."""
        sample = points[:: -(-len(points) // SAMPLE)]
        space = SmallSpace(sample, *_kind(int8))
        scale, norms, errors = points.new_empty(3, len(points))
        codes = Codes(torch.empty(len(points), space.size, dtype=space.dtype), scale, norms, errors)
        for start in range(0, len(points), STEP):
            rows = slice(start, start + STEP)
            for whole, part in zip(_fields(codes), _fields(space.codes(points[rows])), strict=True):
                whole[rows] = part
        return cls(space, codes)

    def select(self, places: Tensor) -> "CodedPoints":
        """The codes of the points at `places`."""
        return CodedPoints(self._space, _some(self._codes, places))

    def update(self, points: Tensor, bounds: Tensor, centres: Tensor) -> Tensor:
        """Lowers `bounds` [n] to the squared distances of the points to the nearest of `centres` [k,C], k <= MOST.

        Returns the indices of points with too many candidate centres. Their bounds are not changed.
        """
        bank, pairs = CodedBank(self._space, centres, torch.arange(len(centres))), PairDistances(centres)
        room = bank.room(min(STEP, len(points)))
        many = []
        for start in range(0, len(points), STEP):
            rows = slice(start, start + STEP)
            codes, known = _some(self._codes, rows), bounds[rows]
            found = bank.candidates(codes, bank.multiply(codes, room), known.clamp(min=0).sqrt())
            squares = pairs.squares(points[rows].contiguous(), found.owners, found.rows)
            known.scatter_reduce_(0, found.owners, squares.values, "amin")
            many.append(found.unresolved.nonzero()[:, 0] + start)
        return torch.cat(many)


def coding_bytes(points: int, int8: bool) -> int:
    """The bytes that the codes of this number of points and a call of `update` take."""
    size, dtype = _kind(int8)
    return points * (size * dtype.itemsize + 12) + 4 * STEP * MOST * (GROUP + 2) // GROUP


def _kind(int8: bool) -> tuple[int, torch.dtype]:
    dtype = torch.int8 if int8 else torch.float32
    return SIZES[dtype], dtype


def _fields(codes: Codes) -> tuple[Tensor, ...]:
    return codes.values, codes.scale, codes.norms, codes.errors


def _some(codes: Codes, places: slice | Tensor) -> Codes:
    return Codes(*(field[places] for field in _fields(codes)))

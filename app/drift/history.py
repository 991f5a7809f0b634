"""The history of a comparison, in bounded memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 256


@dataclass(slots=True)
class Point:
    """Some pictures in a row: the last one's number, the largest evidence, and the means of the whole statistics."""

    picture: int
    evidence: float
    count: int
    means: NDArray[np.float64]


class History:
    """At most MOST_POINTS points; when there are more, neighbours are merged, so that memory stays bounded."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._each = 1  # pictures in a full point

    def add(self, point: Point) -> None:
        """Adds one picture."""
        if self.points and self.points[-1].count < self._each:
            self.points[-1] = _merged(self.points[-1], point)
            return
        self.points.append(point)
        if len(self.points) > MOST_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            odd = self.points[len(self.points) // 2 * 2 :]
            self.points = [_merged(first, second) for first, second in pairs] + odd
            self._each *= 2


def _merged(first: Point, second: Point) -> Point:
    count = first.count + second.count
    means = (first.means * first.count + second.means * second.count) / count
    return Point(second.picture, max(first.evidence, second.evidence), count, means)

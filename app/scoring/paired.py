"""Compares how often two models call the same pictures anomalous."""

from math import sqrt

from scipy.special import bdtr, ndtri

from app.scoring.shares import LEVEL, Interval

BISECTIONS = 60


def mcnemar(first_only: int, second_only: int) -> float:
    """The two-sided p-value of McNemar's exact test (McNemar 1947, in its binomial form).

    first_only: the number of pictures that only the first model calls anomalous
    second_only: the number of pictures that only the second model calls anomalous
    """
    differing = first_only + second_only
    return min(1.0, 2 * float(bdtr(min(first_only, second_only), differing, 0.5))) if differing else 1.0


def difference_interval(first_only: int, second_only: int, total: int) -> Interval:
    """The interval of the second model's share less the first model's, of `total` common pictures, at least one.

    It holds the differences that the score test of Tango (1998, Statistics in Medicine 17, equations 3 and 7) does not
    reject. It has a width even if the models agree on all pictures.
    """
    z, seen = float(ndtri(0.5 + LEVEL / 2)), (second_only - first_only) / total

    def bisect(outside: float) -> float:
        inside = seen
        for _ in range(BISECTIONS):
            middle = (inside + outside) / 2
            if abs(_statistic(first_only, second_only, total, middle)) <= z:
                inside = middle
            else:
                outside = middle
        return inside

    return bisect(-1.0), bisect(1.0)


def _statistic(first_only: int, second_only: int, total: int, difference: float) -> float:
    """The score statistic of a hypothetical difference; standard normal if the difference is true."""
    a = 2 * total
    b = -first_only - second_only + (2 * total - second_only + first_only) * difference
    c = -first_only * difference * (1 - difference)
    rarer = (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)  # the most likely probability of `first_only`
    variance = total * (2 * rarer + difference * (1 - difference))
    excess = second_only - first_only - total * difference
    if variance <= 0:
        return 0.0 if abs(excess) < 1e-9 else float("inf")
    return excess / sqrt(variance)

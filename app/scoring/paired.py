"""Compares how often two models call the same pictures anomalous."""

from math import log, sqrt

from scipy.special import bdtr, betaln, ndtri

from app.scoring.shares import LEVEL, Interval

BISECTIONS = 60


def mcnemar(first_only: int, second_only: int) -> float:
    """The two-sided p-value of McNemar's exact test (McNemar 1947, in its binomial form).

    first_only: the number of pictures that only the first model calls anomalous
    second_only: the number of pictures that only the second model calls anomalous
    """
    differing = first_only + second_only
    return min(1.0, 2 * float(bdtr(min(first_only, second_only), differing, 0.5))) if differing else 1.0


def log_evidence(first_only: int, second_only: int) -> float:
    """The natural logarithm of the evidence that one model calls more pictures anomalous than the other.

    Without a difference, each picture that only one model calls anomalous is the first one's with probability 1/2. The
    evidence is the likelihood ratio of a uniform mixture of all probabilities to that one (Robbins 1970, Annals of
    Mathematical Statistics 41). Without a difference it ever reaches 1/a with a probability of at most a, however often
    it is computed (Ville's inequality), so that a test may look after each picture.
    """
    differing = first_only + second_only
    return differing * log(2) + float(betaln(first_only + 1, second_only + 1))


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

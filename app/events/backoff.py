"""When an event that was not delivered is tried again."""

from collections.abc import Callable

FIRST_S = 1.0
LONGEST_S = 300.0


def wait_s(failures: int, chance: Callable[[], float], asked_s: float | None = None) -> float:
    """The wait after `failures` failures in a row (at least 1), in seconds.

    It doubles with each failure, from FIRST_S to LONGEST_S. `chance` returns random numbers in [0, 1), which shorten
    the wait by up to a half, so that several servers do not come back at the same moment. `asked_s` is the wait that
    the receiver asks for (Retry-After), of which at most LONGEST_S are kept.
    """
    usual = min(FIRST_S * 2.0 ** min(failures - 1, 30), LONGEST_S) * (0.5 + 0.5 * chance())
    return max(usual, min(asked_s or 0.0, LONGEST_S))

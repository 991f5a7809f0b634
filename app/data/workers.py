"""How many processes decode pictures."""

import os

MOST = 8


def default_workers() -> int:
    """One less than the cores that this process may use, which leaves one to whoever waits for pictures; at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores - 1, MOST)

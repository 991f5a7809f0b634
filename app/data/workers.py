"""The default number of processes that decode pictures."""

import os

MAX_WORKERS = 8


def default_workers() -> int:
    """The number of cores that this process may use, less one for the thread that needs the pictures; at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores - 1, MAX_WORKERS)

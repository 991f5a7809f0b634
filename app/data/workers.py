"""The default number of processes that decode pictures."""

from app.cgroup import available_processors

MAX_WORKERS = 8


def default_workers() -> int:
    """The number of processors that this process may use, less one for the thread that takes pictures; at most 8."""
    return min(available_processors() - 1, MAX_WORKERS)

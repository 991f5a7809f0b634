"""Bombs and tricks of the nine kinds that were once seen to stop or kill a server, in variants of their own."""

from benchmarks.torture.bombs import bodies, connections, floats, headers, pixels, processes, repository, scans
from benchmarks.torture.bombs.trick import Trick

__all__ = ["Trick", "tricks"]


def tricks() -> list[Trick]:
    """All tricks, in the order of their kinds."""
    modules = (pixels, headers, scans, floats, bodies, connections, repository, processes)
    return sorted((trick for module in modules for trick in module.TRICKS), key=lambda trick: trick.kind)

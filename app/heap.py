"""Settings of the C library's heap and of the garbage collector, whose defaults do not suit a server."""

import ctypes
import gc
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
KEPT_BYTES = 2**28  # of free memory are kept: returned memory would be requested again for every picture
LARGE_BYTES = 2**25  # larger blocks are mapped one by one, and unmapped when freed; glibc's own maximum
VARIABLES = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(LARGE_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES),
}
"""The environment with which glibc begins as `share_one_heap` leaves it: for processes that have threads already when
this program's code runs in them."""


def share_one_heap() -> bool:
    """Makes all threads allocate from one heap. Returns whether that was set; False for C libraries other than glibc.

    By default glibc makes a heap for each thread, up to eight per processor, and no heap reuses memory that was freed
    into another. Features and maps of megabytes are allocated in one thread and freed in another, so that each heap
    would grow to its own peak. Call it before other threads exist. If the environment has MALLOC_ARENA_MAX, nothing is
    changed.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return False
    options = {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: LARGE_BYTES, M_TRIM_THRESHOLD: KEPT_BYTES}
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl: it has one heap anyway
        return False
    return all(mallopt(option, value) for option, value in options.items())


def exempt_from_collection() -> None:
    """Exempts all objects that exist now from garbage collection. Call it before a model is loaded.

    Modules and the application are hundreds of thousands of objects that live until the end. A full collection visits
    each of them, which stops all threads for a fifth of a second, and a burst of connections makes full collections
    frequent.
    """
    gc.collect()
    gc.freeze()

"""The C library's heap, which holds on to more of what a server frees than it needs."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
KEPT_BYTES = 2**28  # that are free, instead of being given back to the system and asked for again with every picture
LARGE_BYTES = 2**25  # what is larger is asked of the system by itself, and given back at once; glibc's own maximum


def share_one_heap() -> bool:
    """Lets all threads allocate from one heap, and says whether that could be set; only glibc has others.

    For each thread glibc makes a heap of its own, up to eight per processor, and what is freed into one is not given to
    the others. Since features and maps of megabytes are made in one thread and freed in another, each heap grows to its
    own peak in time. To be called before there are threads; the environment's MALLOC_ARENA_MAX has precedence.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return False
    options = {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: LARGE_BYTES, M_TRIM_THRESHOLD: KEPT_BYTES}
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl: it has one heap anyway
        return False
    return all(mallopt(option, value) for option, value in options.items())

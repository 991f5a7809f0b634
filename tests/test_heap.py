import os
import platform
import subprocess
import sys

import pytest

IN_THREADS = """
import sys
from threading import Barrier, Thread

from app.heap import share_one_heap

assert share_one_heap() == (sys.argv[1] == "set")
kept = []
together = Barrier(4)


def allocate():
    kept.append(bytearray(60_000))
    together.wait()


threads = [Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

import ctypes

libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
"""Prints glibc's `malloc_info` after four threads, all alive at once, have allocated memory."""


def heaps(expected: str, **environment: str) -> int:
    printed = subprocess.run(
        [sys.executable, "-c", IN_THREADS, expected],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return printed.stdout.count("<heap ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_threads_share_one_heap_unless_malloc_arena_max_is_set() -> None:
    assert heaps("set") == 1
    assert heaps("left", MALLOC_ARENA_MAX="8") > 1

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

FULL_COLLECTION = """
import gc
from pathlib import Path

import app.main
from app.settings import Settings


def run(server, sockets):
    visited = len(gc.get_objects())
    print(visited, gc.get_freeze_count())


app.main.Server.run = run
app.main.leave = lambda status: None
app.main.serve(Settings(models_dir=Path("."), device="cpu", port=0))
"""
"""Prints how many objects a full collection would visit when the server begins, and how many are exempt from it."""


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


def test_a_full_collection_does_not_visit_the_modules_and_the_application() -> None:
    printed = subprocess.run([sys.executable, "-c", FULL_COLLECTION], capture_output=True, text=True, check=True)
    visited, exempt = map(int, printed.stdout.split())
    assert exempt > 100_000
    assert visited < 10_000

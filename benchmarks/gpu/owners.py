"""Compares two engines on one device with one engine.

Each engine, an owner of the device, is a process with its own model, as if two servers used one GPU.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

from benchmarks.gpu.engine import engine, feed
from benchmarks.gpu.setting import Setting

NAME = "stfpm"
START_S = 60.0

_start: Barrier


def run(setting: Setting) -> None:
    """Measures tiles per second of one owner, and of two owners together."""
    found = {owners: _together(setting, owners) for owners in (1, 2)}
    setting.results.add(
        NAME, {"one_tiles_per_s": found[1], "two_tiles_per_s": found[2], "two_over_one": found[2] / found[1]}
    )


def _together(setting: Setting, owners: int) -> float:
    context = get_context("spawn")
    barrier = context.Barrier(owners)
    with ProcessPoolExecutor(owners, context, initializer=_keep, initargs=(barrier,)) as pool:
        return sum(run.result() for run in [pool.submit(_own, setting) for _ in range(owners)])


def _keep(barrier: Barrier) -> None:
    global _start
    _start = barrier


def _own(setting: Setting) -> float:
    model = setting.load(NAME, setting.half, measured=False).model
    with engine(model) as worker:
        feed(setting, worker, model, setting.scale.seconds / 4)
        _start.wait(START_S)
        return feed(setting, worker, model, 2 * setting.scale.seconds)

"""The peak memory of a stage of the work on a large picture, and a network that takes no time."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from torch import Tensor
from torch.nn import functional as F

from app.detectors import Features
from app.runtime import Eager

MIB = 2**20
T = TypeVar("T")


class StandIn(Eager):
    """The means of each 8 x 8 and each 16 x 16 pixels, in as many channels as the layers of a ResNet-18 have."""

    def __call__(self, tiles: Tensor) -> Features:
        means = ((F.avg_pool2d(tiles, stride), channels) for stride, channels in ((8, 128), (16, 256)))
        return tuple(each.repeat(1, channels // 3 + 1, 1, 1)[:, :channels] for each, channels in means)


def staged(work: Callable[[], T], before: int) -> tuple[T, int, float]:
    """The result of `work`, its peak memory in MiB beyond `before`, and its seconds."""
    _forget_peak()
    started = perf_counter()
    result = work()
    seconds = round(perf_counter() - started, 2)
    return result, round((peak_bytes() - before) / MIB), seconds


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, see proc(5)


def peak_bytes() -> int:
    """The largest resident set since the last stage began."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

"""Sums up the seconds of each stage of the work on pictures.

On a CPU a stage takes the calling thread's wall-clock time. On a GPU the calling thread only launches kernels, so CUDA
events on its current stream measure the device's time as well.
"""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from time import perf_counter
from typing import TypeVar

import torch

R = TypeVar("R")
Event = torch.cuda.Event

MOST_PENDING = 4096
"""The largest number of pairs of events that the GPU has not passed. If there are more, the oldest are waited for."""


class Stage(StrEnum):
    """The stages of `prepare`, `run` and `finish`, in their order."""

    upload = "upload"  # the picture to the device, and its resizing
    cut = "cut"  # tiles out of the picture, normalised
    network = "network"
    stitch = "stitch"  # features of tiles to parts of a picture
    measure = "measure"  # distances to the normal state; the search of a memory bank
    map = "map"  # cells to pixels, blur, score
    download = "download"  # the map to the host


@dataclass(frozen=True, slots=True)
class StageSeconds:
    """The total seconds of a stage."""

    host_s: float = 0.0  # of the calling threads
    device_s: float = 0.0  # of the device; on a CPU, the same


class StageClock:
    """Adds up the time of the stages of one model on one device, from any thread; a disabled clock does nothing."""

    def __init__(self, device: torch.device, enabled: bool) -> None:
        self.enabled = enabled
        self._on_gpu = device.type == "cuda"
        self._lock = Lock()
        self._host = dict.fromkeys(Stage, 0.0)
        self._device = dict.fromkeys(Stage, 0.0)
        self._pending: deque[tuple[Stage, Event, Event]] = deque()

    def timed(self, stage: Stage) -> AbstractContextManager[None]:
        """Counts the time within the `with` block, which must not yield, as the stage's."""
        return self._timed(stage) if self.enabled else nullcontext()

    def steps(self, stage: Stage, work: Generator[None, None, R]) -> Generator[None, None, R]:
        """Runs the steps of `work`, and counts the time of each step as the stage's."""
        while True:
            with self.timed(stage):
                try:
                    next(work)
                except StopIteration as end:
                    result: R = end.value
                    return result
            yield

    def totals(self) -> dict[Stage, StageSeconds]:
        """The seconds of all stages so far. Waits until the GPU has completed the launched stages."""
        with self._lock:
            self._settle(0)
            device = self._device if self._on_gpu else self._host
            return {stage: StageSeconds(self._host[stage], device[stage]) for stage in Stage}

    @contextmanager
    def _timed(self, stage: Stage) -> Iterator[None]:
        started, before = perf_counter(), self._event()
        try:
            yield
        finally:
            after, seconds = self._event(), perf_counter() - started
            with self._lock:
                self._host[stage] += seconds
                if before is not None and after is not None:
                    self._pending.append((stage, before, after))
                    self._settle(MOST_PENDING)

    def _event(self) -> Event | None:
        if not self._on_gpu:
            return None
        event = Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch leaves it so
        event.record(torch.cuda.current_stream())
        return event

    def _settle(self, most: int) -> None:
        """Adds up the oldest pairs of events until at most `most` pairs are pending."""
        while len(self._pending) > most:
            stage, before, after = self._pending.popleft()
            after.synchronize()
            self._device[stage] += before.elapsed_time(after) / 1000

"""Measures the speed of work in one thread, or in several at the same time, as lanes run it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from time import perf_counter
from types import TracebackType
from typing import Self

import torch

from app.pipeline.device import use_processors
from app.runtime import Network
from app.tiling import Size


class Loops:
    """`count` threads that share `processors` of a CPU and work at the same time; one thread on a GPU."""

    def __init__(self, device: torch.device, tile_size: Size, count: int, processors: int) -> None:
        self._device, self._tile_size = device, tile_size
        self._count = count if device.type == "cpu" else 1
        threads = max(1, processors // self._count)
        self._start = Barrier(self._count)
        self._pool = ThreadPoolExecutor(self._count, "tessera-trial", partial(use_processors, threads))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown()

    def seconds_a_tile(self, network: Network, tiles: int) -> float:
        """Seconds per tile of all threads together. Each thread runs one batch of `tiles` tiles."""
        given = torch.zeros(tiles, 3, *self._tile_size, device=self._device)
        return self.seconds(lambda: network(given)) / tiles

    def seconds(self, work: Callable[[], object]) -> float:
        """Seconds per run of `work` of all threads together. Each thread runs it once.

        The rates of the threads are added, because threads with different pictures do not wait for each other.
        """
        runs = [self._pool.submit(self._run, work) for _ in range(self._count)]
        return 1 / sum(1 / run.result() for run in runs)

    @torch.inference_mode()
    def _run(self, work: Callable[[], object]) -> float:
        self._start.wait()
        started = perf_counter()
        work()
        if self._device.type == "cuda":
            # Not the whole device: another thread may be capturing a CUDA graph.
            torch.cuda.current_stream(self._device).synchronize()
        return perf_counter() - started

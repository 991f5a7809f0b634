"""Computes the bands of streams in a thread of their own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor

from app.pipeline import Prepared, TiledModel, use_processors
from app.pipeline.assembly import Assembly
from app.pipeline.endless import run_band


class BandThread:
    """One thread that computes the bands of all streams, first come, first served."""

    def __init__(self) -> None:
        processors = torch.get_num_threads()
        self._thread = ThreadPoolExecutor(1, "tessera-bands", initializer=partial(use_processors, processors))

    async def run(self, model: TiledModel, prepared: Prepared, assembly: Assembly) -> Tensor:
        """Computes the tiles of a band; returns the rows of the map that it completes, see `run_band`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, run_band, model, prepared, assembly)

    def close(self) -> None:
        """Ends the thread after its current band."""
        self._thread.shutdown(wait=False, cancel_futures=True)

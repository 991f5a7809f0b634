"""Computes the bands of streams in the device worker, beside the pictures of requests."""

import asyncio
from collections.abc import Sequence

from app.pipeline import Band, BandOutcome, TiledModel
from app.scheduling import BandWork, DeviceWorker


class BandLanes:
    """Runs bands with the same share of the devices as requests. A stream was admitted as a whole, so its bands are."""

    def __init__(self, worker: DeviceWorker) -> None:
        self._worker = worker

    async def run(self, models: Sequence[TiledModel], band: Band) -> BandOutcome:
        """The outcome of a band; `models` holds its model on each device. Raises the errors of DeviceWorker.submit."""
        with self._worker.admit_band() as ticket:
            return (
                await asyncio.wrap_future(self._worker.run(BandWork(ticket, models, band, background=False)))
            ).outcome

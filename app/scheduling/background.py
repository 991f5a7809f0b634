"""Runs the bands of a large picture as background work of the device worker."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from app.pipeline import Band, BandOutcome, Run, TiledModel
from app.scheduling.picture import BandWork
from app.scheduling.worker import DeviceWorker


@contextmanager
def background_bands(worker: DeviceWorker, models: Sequence[TiledModel]) -> Iterator[Run]:
    """Yields what runs the bands of one picture in the worker; `models` holds its model on each device.

    Leaving the `with` block gives up a band that has not run to its end. What the block yields raises EngineStopped or
    DeviceFailed; its results also raise the errors of the band.
    """
    with ExitStack() as current:

        def run(band: Band) -> Callable[[], BandOutcome]:
            current.close()  # the ticket of the band before, which has run
            ticket = current.enter_context(worker.admit_band())
            done = worker.run(BandWork(ticket, models, band, background=True))
            return lambda: done.result().outcome

        yield run

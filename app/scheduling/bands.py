"""Runs the bands of a large picture as work of the device worker."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager

from app.pipeline import Band, BandOutcome, Run, TiledModel
from app.scheduling.picture import BandWork
from app.scheduling.worker import DeviceWorker

CHECK_S = 0.1
"""How often a band that runs is asked whether it is still wanted."""


def _unmeasured(seconds: float) -> None:
    """Nobody wants the device time."""


@contextmanager
def worker_bands(
    worker: DeviceWorker,
    models: Sequence[TiledModel],
    check: Callable[[], None],
    *,
    background: bool = True,
    spent: Callable[[float], None] = _unmeasured,
) -> Iterator[Run]:
    """Yields what runs the bands of one picture in the worker; `models` holds its model on each device.

    While a band runs, `check` is called from time to time; it raises if the picture is no longer wanted. `background`:
    see Job. `spent` gets the device time of each band in seconds. Leaving the
    `with` block gives up a band that has not run to its end, after its current unit. What the block yields raises
    EngineStopped or DeviceFailed; its results also raise the errors of the band and of `check`.
    """
    with ExitStack() as current:

        def run(band: Band) -> Callable[[], BandOutcome]:
            current.close()  # the ticket of the band before, which has run
            ticket = current.enter_context(worker.admit_band())
            done = worker.run(BandWork(ticket, models, band, background=background))

            def outcome() -> BandOutcome:
                while wait([done], CHECK_S).not_done:
                    check()
                finished = done.result()
                spent(finished.device_s)
                return finished.outcome

            return outcome

        yield run

"""The end of the work of an application: what is in flight is finished, and given up after a grace period."""

from functools import partial
from threading import Thread

from fastapi import FastAPI

from app.api import Services
from app.api.in_flight import RequestsInFlight

ABORT_S = 0.25
"""How long lanes may finish their current unit after the grace period."""


class Draining:
    """Ends the work of an application. Its requests in flight continue until `give_up`."""

    def __init__(self, app: FastAPI) -> None:
        self._services: Services = app.state.services
        self._in_flight: RequestsInFlight = app.state.in_flight

    def begin(self) -> None:
        """Refuses new pictures. Closes what would otherwise last: streams of rows, and the events of jobs."""
        self._services.worker.drain()
        if self._services.jobs is not None:
            self._services.jobs.watchers.close()
        self._services.streams.drain()

    def give_up(self) -> None:
        """Ends the grace period: answers what waits by EngineStopped, and stops the devices after their units."""
        self._in_flight.give_up()
        self._services.predictor.stop_decoding()
        stop = partial(self._services.worker.stop, finish_running=False, wait_s=ABORT_S)
        Thread(target=stop, name="tessera-stop", daemon=True).start()

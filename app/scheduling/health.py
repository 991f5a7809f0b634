"""Watches the lanes, and says which faults there are: for the probes, and for the end of the process."""

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic

import torch

from app.errors import DeviceFailed
from app.scheduling.dispatcher import Dispatcher, Running
from app.scheduling.life import Life
from app.scheduling.watchdog import Watchdog

_log = logging.getLogger(__name__)

Abandon = Callable[[int, DeviceFailed, Running | None], None]


class Health:
    """Owns the thread that watches the lanes of a worker, from `start` to `stop`.

    threads: the thread of each lane
    devices: the device of each lane
    stuck_after_s: for how long a unit of up to a megapixel may run, and for how long all devices may be out of work
    abandon: ends the pictures of a lane that is stuck or dead
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        threads: Sequence[Thread],
        devices: Sequence[torch.device],
        stuck_after_s: float,
        abandon: Abandon,
    ) -> None:
        self._dispatcher, self._threads, self._devices, self._abandon = dispatcher, threads, devices, abandon
        self._watchdog = Watchdog(stuck_after_s)
        self._stopped = Event()
        self._thread = Thread(target=self._watch, name="tessera-watchdog", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped.set()

    @property
    def healthy(self) -> bool:
        """Whether the worker accepts pictures, at least one device works, and no fault is fatal."""
        return self._is_running and any(self.working.values()) and not self.fatal

    @property
    def working(self) -> dict[str, bool]:
        """Whether each device works: false from a failure until it passed a test or ran a batch."""
        idle = self._dispatcher.faults.keys() | self._dispatcher.lost.keys()
        working: dict[str, bool] = {}
        for lane, device in enumerate(self._devices):
            working[str(device)] = working.get(str(device), False) or lane not in idle
        return working

    @property
    def faults(self) -> list[str]:
        """Why each device that takes no work takes none, and all fatal faults."""
        found = self.fatal
        working, lost = self.working, self._dispatcher.lost
        for lane, why in self._dispatcher.faults.items():
            device = str(self._devices[lane])
            if lane not in lost and not working[device]:
                found.append(f"{device} failed, and takes no picture until it passes a test: {why}")
        return list(dict.fromkeys(found))

    @property
    def fatal(self) -> list[str]:
        """The faults that only another process can cure; a stuck lane may still come back."""
        found = list(self._dispatcher.lost.values())
        if not found and self._watchdog.down_s is not None:
            found = [f"no device has worked for {self._watchdog.down_s:.0f} s"]
        if self._is_running and self._thread.ident is not None and not self._thread.is_alive():
            found.append("the thread that watches the devices has ended")
        return found

    @property
    def must_end(self) -> bool:
        """Whether a fault is fatal, and probes have reported it for long enough."""
        return self._watchdog.must_end and bool(self.fatal)

    @property
    def _is_running(self) -> bool:
        return self._dispatcher.life is Life.running

    def _watch(self) -> None:
        while not self._stopped.wait(self._watchdog.interval_s):
            self.look(monotonic())

    def look(self, now_s: float) -> None:
        """Abandons lanes that are stuck, or whose thread has ended."""
        down, fatal = not any(self.working.values()), bool(self.fatal)
        for stuck in self._watchdog.look(now_s, self._dispatcher.running, down=down, fatal=fatal):
            reason = (
                f"{self._devices[stuck.lane]} has computed one unit of work for {stuck.age_s:.0f} s, of at most "
                f"{stuck.limit_s:.0f} s"
            )
            self._abandon(stuck.lane, DeviceFailed(f"{reason}; the picture is given up, send it again"), stuck.unit)
        for lane, thread in enumerate(self._threads):
            if self._is_running and not thread.is_alive() and lane not in self._dispatcher.lost:
                self.died(lane, None)

    def died(self, lane: int, error: BaseException | None) -> None:
        """The thread of a lane has ended, by an error if there is one."""
        reason = f"the thread of {self._devices[lane]} has ended ({type(error).__name__}: {error})"
        self._abandon(lane, DeviceFailed(f"{reason}; the picture is given up, send it again"), None)

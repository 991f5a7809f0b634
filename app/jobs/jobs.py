"""What clients do with jobs: make, follow, cancel and remove them, and read their results."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import time
from typing import ParamSpec, TypeVar

from app.errors import InvalidJobs, JobNotDone, JobsDatabaseUnavailable
from app.files import locked
from app.jobs.follower import Follower
from app.jobs.forms import Forms
from app.jobs.intake import JobIntake, RequireMemory
from app.jobs.janitor import Janitor
from app.jobs.leases import Leases
from app.jobs.limits import JobLimits
from app.jobs.lookup import job_of, picture_of
from app.jobs.picture_runner import Bands, PictureRunner
from app.jobs.rounds import Round
from app.jobs.runner import JobRunner
from app.jobs.tiles import Layer, Pyramid, pyramid_of, tile_of
from app.jobs.watchers import Watchers
from app.service import ModelCatalogue
from app.store import (
    ENDED,
    DatabaseAddress,
    Event,
    Job,
    JobFolders,
    JobPicture,
    JobState,
    JobTable,
    ResultFile,
    Results,
)

EXPIRY_INTERVAL_S = 10.0
SWEEP_INTERVAL_S = 600.0
FOLLOW_INTERVAL_S = 0.5
"""How soon clients that follow a job see what happens on another server."""
STOP_S = 0.25
"""How long running jobs may finish their current band when the server ends."""
THREADS = 8
"""The most requests for jobs that are worked on at once."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobPlaces:
    """Where jobs are.

    folder: of their files
    opened: the folder that the operator opened; None: none
    database: the address of the database that servers share; empty: a SQLite database in `folder`
    """

    folder: Path
    opened: Path | None
    database: str


class Jobs:
    """The jobs of a server, or of several servers. Any thread may call any method; most block on the disk.

    `bands` gives what computes the bands of a picture. `results` holds the results; by default the folder does.
    `owner` is the name of the API key of a request: it sees its own jobs; None sees all.
    Methods raise JobsDatabaseUnavailable. The constructor raises InvalidJobs if the folder or the database cannot be
    used, or if another server uses a folder with a SQLite database.
    """

    def __init__(
        self,
        places: JobPlaces,
        limits: JobLimits,
        catalogue: ModelCatalogue,
        require_memory: RequireMemory,
        forms: Forms,
        bands: Bands,
        results: Results | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        self._limits, self._clock = limits, clock
        self._held = ExitStack()
        self._folders, self._table = self._opened(places, results)
        self.watchers = Watchers()
        self._leases = leases = Leases(self._table, limits.lease_s)
        pictures = PictureRunner(self._table, self._folders, leases, self.watchers, forms, places.opened, bands)
        self._runner = JobRunner(self._table, self._folders, catalogue, leases, self.watchers, limits, pictures)
        self.intake = JobIntake(
            self._table,
            self._folders,
            catalogue,
            limits,
            places.opened,
            require_memory=require_memory,
            queued=self._queued,
            clock=clock,
        )
        self._janitor = Janitor(
            self._table, self._folders, leases, self.watchers, limits.expiry_s, lambda: self._clock()
        )
        self._rounds = (
            Round("tessera-jobs-leases", leases.renew_s, leases.renew),
            Round("tessera-jobs-follow", FOLLOW_INTERVAL_S, Follower(self._table, self.watchers).look),
            Round("tessera-jobs-expiry", EXPIRY_INTERVAL_S, self._janitor.expire),
            Round("tessera-jobs-sweep", SWEEP_INTERVAL_S, self._janitor.sweep),
        )
        self._threads = ThreadPoolExecutor(THREADS, "tessera-jobs")

    def _opened(self, places: JobPlaces, results: Results | None) -> tuple[JobFolders, JobTable]:
        root = places.folder
        address = DatabaseAddress.parse(places.database) if places.database else None
        try:
            folders = JobFolders(root, results)
            if address is None:
                self._held.enter_context(locked(root, wait=False))
        except BlockingIOError as error:
            raise InvalidJobs(
                f"another server uses {root} (jobs_dir); each server needs a folder of its own, or all servers need "
                "one database (jobs_database)"
            ) from error
        except OSError as error:
            raise InvalidJobs(f"{root} (jobs_dir) cannot be used: {error.strerror or error}") from error
        try:
            return folders, JobTable(address or DatabaseAddress.of_file(root / "jobs.sqlite"), folders)
        except BaseException:
            self._held.close()
            raise

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function in a thread of the jobs, so that other requests never wait for their disk and database."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *args, **kwargs))

    def start(self) -> None:
        """Goes on with the jobs that were running, and with those that wait."""
        with suppress(JobsDatabaseUnavailable):
            if not self._table.shared:  # no other server can have them
                self._table.end_leases(None)
            self._janitor.sweep()
        self._runner.start()
        for each in self._rounds:
            each.start()

    def stop(self) -> None:
        """Ends the threads; running jobs go on after the next start, or on other servers."""
        for each in self._rounds:
            each.stop()
        self.watchers.close()
        self._leases.stop()
        self._runner.stop(STOP_S)
        with suppress(JobsDatabaseUnavailable):
            self._leases.give_back()
        self._table.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._held.close()

    def notes(self) -> list[str]:
        """What is wrong although pictures can be predicted."""
        return ["the database of jobs cannot be used; requests for jobs get 503"] if self._table.failing else []

    def _queued(self, id: str) -> None:
        self.watchers.notify(id)
        self._leases.wake()

    def get(self, id: str, owner: str | None) -> Job:
        """Raises JobNotFound."""
        return job_of(self._table, id, owner)

    def picture(self, id: str, number: int, owner: str | None) -> JobPicture:
        """Raises JobNotFound."""
        return picture_of(self.get(id, owner), number)

    def newest(self, owner: str | None, most: int) -> list[Job]:
        """The newest jobs, the newest first."""
        return self._table.newest(owner, most)

    def counts(self) -> dict[JobState, int]:
        """The number of jobs in each state."""
        return self._table.counts()

    def free_bytes(self) -> int:
        """The free bytes of the disk; raises OSError."""
        return self._folders.free_bytes()

    def events(self, id: str, after: int) -> list[Event]:
        """The next events after the number `after`, the oldest first."""
        return self._table.events(id, after)

    def regions(self, id: str, number: int) -> list[object]:
        """The regions of a picture that no later row can change, in the order in which they became final."""
        bodies = self._table.told(id, "regions", number)
        return [each for body in bodies for each in json.loads(body)["regions"]]

    def delete(self, id: str, owner: str | None) -> Job | None:
        """Cancels a job that has not ended, and returns it; removes one that has ended, and returns None.

        Either frees its space: at once, or when the band that is being computed is done. Raises JobNotFound.
        """
        if self.get(id, owner).state in ENDED:
            self._table.remove(id)
            self._janitor.remove_files(id)
            self.watchers.notify(id)
            return None
        before = self._cancel(id, owner)
        if before is JobState.running:
            self._leases.lose(id)  # the server that works on it removes its files
        elif before not in ENDED:
            self._folders.remove(id)
        self.watchers.notify(id)
        return self.get(id, owner)

    def _cancel(self, id: str, owner: str | None) -> JobState:
        """Cancels a job that has not ended; returns its state before. The server that works on it will see that."""
        now = self._clock()
        expires_s = now + self._limits.expiry_s
        with self._table.transaction():  # who follows the job must not see its end before the event of it
            self._table.lock(id)
            job = self.get(id, owner)
            if job.state not in ENDED:
                self._table.change(id, state=JobState.cancelled, changed_s=now, expires_s=expires_s, reserved_bytes=0)
                for each in job.pictures:
                    if each.state not in ENDED:
                        self._table.change_picture(id, each.number, state=JobState.cancelled)
                self._table.tell(id, "state", json.dumps({"state": JobState.cancelled}))
        return job.state

    def result(self, id: str, number: int, owner: str | None) -> ResultFile:
        """The prediction of a picture that is done, as JSON. Raises as `_file`."""
        return self._file(id, number, self._folders.of(id, number).result.name, owner)

    def pyramid_file(self, id: str, number: int, layer: Layer, owner: str | None) -> ResultFile:
        """A pyramid of a picture that is done. Raises as `_file`."""
        return self._file(id, number, self._folders.of(id, number).pyramid(layer).name, owner)

    def _file(self, id: str, number: int, name: str, owner: str | None) -> ResultFile:
        """Raises JobNotFound, JobNotDone or ResultsUnavailable."""
        self._require_done(id, number, owner)
        return self._folders.results.file(id, number, name)

    def pyramid(self, id: str, number: int, owner: str | None) -> Pyramid:
        """The levels of the pyramids of a picture that is done. Raises as `_file`."""
        return pyramid_of(self.pyramid_file(id, number, Layer.overlay, owner))

    def tile(self, id: str, number: int, layer: Layer, place: tuple[int, int, int], owner: str | None) -> bytes:
        """The tile at (level, x, y): JPEG of the overlay, PNG of the others. Raises as `_file`."""
        return tile_of(self.pyramid_file(id, number, layer, owner), *place, lossless=layer is not Layer.overlay)

    def _require_done(self, id: str, number: int, owner: str | None) -> None:
        picture, job = self.picture(id, number, owner), self.get(id, owner)
        state = job.state if job.state in (JobState.expired, JobState.cancelled) else picture.state
        if state is not JobState.done:
            ends = "" if state in ENDED else "; its results are there when it is done"
            raise JobNotDone(f"picture {number} of job {id!r} is {state}{ends}")

    def expire(self) -> None:
        """Removes what is over: first the files of a job, later also its entry."""
        self._janitor.expire()

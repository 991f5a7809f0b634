"""One stream of rows: takes them as they come, has them computed, and keeps the regions that were found."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Protocol

import torch

from app.admission import TileRate
from app.artifacts import Artifact
from app.errors import DeviceFailed, InsufficientMemory, RateLimited, StreamConflict, TesseraError
from app.pipeline import BandOutcome, DefectRegion, defect_region, is_out_of_memory
from app.pipeline.endless import EndlessScan
from app.scoring import Region, RegionFinder
from app.service.streaming.bands import BandLanes
from app.service.streaming.connection import Connection
from app.service.streaming.events import Ended, FoundRegion, Paused, Progress, StreamEvent
from app.service.streaming.options import StreamOptions

MOST_KEPT = 20_000
"""The regions that are kept for a client that connects again; those that were not sent are kept in any case."""
MOST_UNSENT = 5_000
"""While more regions than this were not sent, nothing is computed, because the client does not read."""
MOST_EVENTS = 256
"""The largest number of regions that are sent to the client at once."""
HEARTBEAT_S = 5.0
"""The longest time without an event."""

_log = logging.getLogger("tessera.stream")


class StreamObserver(Protocol):
    """Receives counts of streams. Calls must be fast and must not raise."""

    def rows_taken(self, model: str, rows: int) -> None:
        """Rows of a stream have arrived."""

    def regions_found(self, model: str, regions: int) -> None:
        """Regions of a stream are final."""


class RowStream:
    """A stream of rows. Lives on one event loop; its bands are computed in other threads while `run` runs.

    name: the name by which the client continues the stream
    first_row: the client's number of the first row
    connection: the client's connection; None: there is none now
    failure: the error that has ended the stream
    """

    def __init__(self, name: str, artifact: Artifact, options: StreamOptions, first_row: int) -> None:
        """Raises NotStreamable."""
        self.name, self.artifact, self.options, self.first_row = name, artifact, options, first_row
        self._scan = EndlessScan(artifact.model, options.form.width, options.form.white)
        self.geometry = self._scan.geometry
        criteria = options.criteria
        self._finder = RegionFinder(artifact.calibration.raw_value(criteria.threshold), criteria.min_region_area)
        self._kept: deque[FoundRegion] = deque()
        self.regions = 0
        self._complete, self._peak = 0, float("-inf")
        self._all_came = self._is_busy = self.is_ended = False
        self.failure: Exception | None = None
        self.connection: Connection | None = None
        self._sent = 0  # see Connection; of the last connection
        self._changed = asyncio.Event()

    @property
    def next_row(self) -> int:
        """The number of the first row that has not arrived."""
        return self.first_row + self._scan.rows.arrived

    @property
    def oldest_kept(self) -> int:
        """The sequence number of the oldest region that is kept."""
        return self.regions - len(self._kept) + 1

    @property
    def is_over(self) -> bool:
        """Whether the stream has ended or failed: nothing more is computed."""
        return self.is_ended or self.failure is not None

    def attach(self, connection: Connection | None) -> None:
        """Makes this the client's connection; None: the client has none now."""
        if self.connection is not None:
            self._sent = self.connection.sent
        self.connection = connection
        self._notify()

    async def take(self, connection: Connection, data: bytes, observer: StreamObserver) -> None:
        """Takes bytes of rows, after waiting for room. Raises StreamConflict if the stream has ended."""
        while self._scan.is_full and not self.is_over and not self._all_came:
            await self._changed.wait()
        rows = connection.whole_rows(data) if self.connection is connection else b""
        if not rows or self.failure is not None:
            return
        if self._all_came:
            raise StreamConflict(
                f"the stream {self.name!r} has ended with row {self.next_row - 1:,}; begin another one"
            )
        samples = self.options.form.samples(rows)
        self._scan.add(samples)
        observer.rows_taken(self.artifact.name, len(samples))
        self._notify()

    def end_rows(self, connection: Connection, *, is_pause: bool) -> None:
        """All rows of the connection came; with `is_pause`, another one continues. Raises InvalidStream."""
        if self.connection is not connection:
            return
        connection.require_whole()
        connection.pauses = is_pause and not self._all_came
        self._all_came = self._all_came or not is_pause
        self._notify()

    async def events(self, connection: Connection) -> AsyncIterator[Sequence[StreamEvent]]:
        """The events for the client, as they happen. Raises the error that has ended the stream."""
        reported = -1
        while True:
            changed = self._changed
            is_idle = not self._is_busy and not self._scan.is_ready
            while regions := self._after(connection.sent):
                yield regions
                connection.sent = regions[-1].sequence
                self._notify()  # what was sent may go on, see MOST_UNSENT
            if self.failure is not None:
                raise self.failure
            if self._complete != reported or connection.pauses or self.is_ended:
                reported = self._complete
                yield [self._progress()]
            if self.is_ended:
                yield [Ended(self.next_row, self.regions)]
                return
            if connection.pauses and is_idle:
                yield [Paused(self.next_row, self.first_row + self._complete)]
                return
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await changed.wait()
            except TimeoutError:
                reported = -1

    async def run(self, bands: BandLanes, rate: TileRate | None, observer: StreamObserver) -> None:
        """Computes the bands as their rows come, until the stream has ended or failed.

        rate: the rate of tiles that is not exceeded
        """
        try:
            while not self.is_ended:
                changed = self._changed
                if self._all_came and not self._scan.is_ended:
                    self._scan.end()
                if self._scan.is_done:
                    self._found(*await asyncio.to_thread(self._last_regions), observer)
                    self.is_ended = True
                elif self._scan.is_ready and self._unsent <= MOST_UNSENT:
                    await self._band(bands, rate, observer)
                else:
                    await changed.wait()
        except Exception as error:
            self.failure = _fault(error)
            if not isinstance(self.failure, TesseraError):
                _log.exception("the stream %s failed", self.name)
        finally:
            self._notify()

    @property
    def _unsent(self) -> int:
        sent = self._sent if self.connection is None else self.connection.sent
        return self.regions - sent

    async def _band(self, bands: BandLanes, rate: TileRate | None, observer: StreamObserver) -> None:
        self._is_busy = True
        try:
            await _wait_for(rate, self.geometry.plan.columns)
            band = await asyncio.to_thread(self._scan.begin_band)
            assert band is not None
            if rate is not None:
                rate.take(band.plan.count)
            outcome = await bands.run(self.artifact.models, band)
            found = await asyncio.to_thread(self._regions_of, outcome)
            self._found(*found, observer)
        finally:
            self._is_busy = False
            self._notify()

    def _regions_of(self, outcome: BandOutcome) -> tuple[list[Region], list[Region], int, float]:
        """The regions that are final with these rows of the map, those that are cut, their end and their peak."""
        rows = self._scan.end_band(outcome)
        values = rows.values
        if not len(values):
            return [], [], rows.top, float("-inf")
        self._finder.add(values.numpy())
        final, cut = self._finder.final(), self._finder.cut(self.options.longest_region)
        return final, cut, rows.top + len(values), float(values.amax())

    def _last_regions(self) -> tuple[list[Region], list[Region], int, float]:
        return self._finder.finish(), [], self._complete, float("-inf")

    def _found(
        self, final: list[Region], cut: list[Region], complete: int, peak: float, observer: StreamObserver
    ) -> None:
        for region, continues in (*((each, False) for each in final), *((each, True) for each in cut)):
            self.regions += 1
            self._kept.append(FoundRegion(self.regions, self._numbered(region), continues))
        self._complete, self._peak = complete, max(self._peak, peak)
        while len(self._kept) > MOST_KEPT and self._unsent < len(self._kept):
            self._kept.popleft()
        observer.regions_found(self.artifact.name, len(final) + len(cut))

    def _numbered(self, region: Region) -> DefectRegion:
        """The region with the client's numbers of rows."""
        found = defect_region(region, self.artifact.calibration)
        row, column = found.peak
        zones = self.artifact.model.zones
        # All zones of a model that takes streams reach over the whole height, so that any row says which one it is.
        (zone,) = (None,) if zones is None else zones.names([(0, column)], (1, self.options.form.width))
        peak = row + self.first_row, column
        return replace(found, top=found.top + self.first_row, peak=peak, zone=zone)

    def _progress(self) -> Progress:
        peak, self._peak = self._peak, float("-inf")
        score = None
        if peak > float("-inf"):
            score = float(self.artifact.calibration.normalise_map(torch.tensor(peak)))
        return Progress(self.next_row, self.first_row + self._complete, score)

    def _after(self, sequence: int) -> list[FoundRegion]:
        """The next regions after this one."""
        first = max(sequence + 1 - self.oldest_kept, 0)
        return list(islice(self._kept, first, first + MOST_EVENTS))

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def _wait_for(rate: TileRate | None, tiles: int) -> None:
    """Waits until the rate allows this number of tiles."""
    while rate is not None:
        with suppress(RateLimited):
            rate.require(tiles)
            return
        await asyncio.sleep(0.05)


def _fault(error: Exception) -> Exception:
    """The error for the client."""
    if is_out_of_memory(error):
        return InsufficientMemory("a band of the stream needs more memory than there is; send narrower rows")
    if isinstance(error, torch.AcceleratorError):
        return DeviceFailed(f"the device failed; begin the stream again: {error}")
    return error

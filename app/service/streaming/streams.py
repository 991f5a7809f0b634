"""The streams of rows that the server has: who continues which one, and when they are forgotten."""

import asyncio
import logging
from dataclasses import dataclass

from app.admission import TileRate, WorkMemory, stream_bytes
from app.artifacts import Artifact
from app.errors import EngineStopped, Overloaded, StreamConflict, StreamNotFound
from app.scheduling import DeviceWorker
from app.service.streaming.bands import BandLanes
from app.service.streaming.connection import Connection
from app.service.streaming.options import StreamOptions
from app.service.streaming.stream import RowStream, StreamObserver

ADMITTED_WITHIN_S = 2.0
"""How long a new stream waits for memory."""
MOST_OVER = 64
"""The most streams that are kept after their end, for clients that have not got all of their regions."""
RETRY_AFTER_S = 30.0

Owner = str | None
"""The name of an API key; None: the server has no keys."""

_log = logging.getLogger("tessera.stream")


@dataclass(frozen=True, slots=True)
class Known:
    """What a client that continues a stream says of it.

    options: those of the stream
    model, version: the name of its model, and the version if the client gives one
    first_row: the number of the first row that the client will send; None: the first one that the stream lacks
    after: the sequence number of the last region that the client has
    """

    options: StreamOptions
    model: str
    version: int | None
    first_row: int | None
    after: int


class Streams:
    """The streams of all clients, at most `most` that have not ended. Lives on one event loop, from `begin` to `close`.

    A stream whose connection is gone is kept for `idle_s`, and then forgotten. A name belongs to its owner.
    """

    def __init__(
        self, worker: DeviceWorker, memory: WorkMemory, *, most: int, idle_s: float, observer: StreamObserver
    ) -> None:
        self._memory, self._most, self.idle_s, self.observer = memory, most, idle_s, observer
        self._streams: dict[tuple[Owner, str], RowStream] = {}
        self._work: dict[RowStream, asyncio.Task[None]] = {}
        self._expiry: dict[RowStream, asyncio.TimerHandle] = {}
        self._bands = BandLanes(worker)
        self._is_stopped = False

    @property
    def open(self) -> int:
        """The number of streams that have not ended, with and without a connection."""
        return sum(not stream.is_over for stream in self._streams.values())

    async def begin(
        self, owner: Owner, name: str, artifact: Artifact, options: StreamOptions, first_row: int, rate: TileRate | None
    ) -> tuple[RowStream, Connection]:
        """Begins a stream. Raises NotStreamable, StreamConflict, TooCostly, Overloaded or EngineStopped."""
        self._require_running()
        known = self._streams.get((owner, name))
        if known is not None and not known.is_over:
            raise StreamConflict(
                f"there is a stream {name!r} already, with the rows before {known.next_row:,}; continue it with "
                "after=SEQUENCE of its last region that you have (0: none), or choose another name"
            )
        if self.open >= self._most:
            raise Overloaded(
                f"{self.open} streams are open, the limit (max_streams); come back when one has ended",
                RETRY_AFTER_S,
                "max_streams",
            )
        stream = RowStream(name, artifact, options, first_row)
        size = stream_bytes(artifact.model, stream.geometry, options.form.row_bytes)
        self._memory.require(size, f"a stream of rows of {options.form.width:,} pixels")
        if known is not None:
            self._forget(owner, known)
        self._streams[owner, name] = stream
        admitted = asyncio.Event()
        self._work[stream] = asyncio.create_task(self._run(stream, size, rate, admitted))
        try:
            async with asyncio.timeout(ADMITTED_WITHIN_S):
                await admitted.wait()
        except BaseException as error:
            self._forget(owner, stream)
            if not isinstance(error, TimeoutError):
                raise
            raise Overloaded(
                f"the stream needs {size:,} bytes of memory (max_work_bytes), which others have now",
                RETRY_AFTER_S,
                self._memory.name,
            ) from error
        form = options.form
        _log.info(
            "stream %s begins at row %d: model %s version %d, rows of %d x %d x %s",
            name, first_row, artifact.name, artifact.version, form.width, form.channels, form.dtype.value,
        )  # fmt: skip
        connection = Connection(form)
        stream.attach(connection)
        return stream, connection

    def resume(self, owner: Owner, name: str, known: Known) -> tuple[RowStream, Connection]:
        """Continues a stream; another connection to it is closed. Raises StreamNotFound or StreamConflict."""
        self._require_running()
        stream = self._streams.get((owner, name))
        if stream is None:
            raise StreamNotFound(
                f"there is no stream {name!r} to continue here: it was never begun, had no connection for "
                f"{self.idle_s:g} s (stream_idle_s), or is on another replica of the application; begin one "
                "under a new name, without `after`, with the next row as first_row"
            )
        _require_same(stream, known)
        next_row = stream.next_row
        first = next_row if known.first_row is None else known.first_row
        if stream.connection is not None:
            stream.connection.close(StreamConflict(f"the stream {name!r} was continued by another connection"))
        self._cancel_expiry(stream)
        connection = Connection(stream.options.form, known.after, next_row - first)
        stream.attach(connection)
        return stream, connection

    def leave(self, owner: Owner, stream: RowStream, connection: Connection) -> None:
        """The connection has ended. The stream is kept for a while, so that another one can continue it."""
        if stream.connection is not connection:
            return
        stream.attach(None)
        if self._streams.get((owner, stream.name)) is stream:
            loop = asyncio.get_running_loop()
            self._expiry[stream] = loop.call_later(self.idle_s, self._forget, owner, stream)
            over = [key for key, each in self._streams.items() if each.is_over and each.connection is None]
            for key in over[: max(len(over) - MOST_OVER, 0)]:
                self._forget(key[0], self._streams[key])

    def drain(self) -> None:
        """Closes the connections of all streams, and begins none any more."""
        self._is_stopped = True
        for stream in self._streams.values():
            if stream.connection is not None:
                stream.connection.close(EngineStopped("the server is shutting down; begin the stream again later"))

    async def close(self) -> None:
        """Forgets all streams."""
        self.drain()
        for (owner, _), stream in list(self._streams.items()):
            self._forget(owner, stream)

    def _require_running(self) -> None:
        if self._is_stopped:
            raise EngineStopped("the server is shutting down; try again in a few seconds")

    async def _run(self, stream: RowStream, size: int, rate: TileRate | None, admitted: asyncio.Event) -> None:
        async with self._memory.hold(size):
            admitted.set()
            await stream.run(self._bands, rate, self.observer)
        how = "ends" if stream.failure is None else f"fails ({type(stream.failure).__name__}: {stream.failure})"
        _log.info("stream %s %s before row %d, with %d regions", stream.name, how, stream.next_row, stream.regions)

    def _forget(self, owner: Owner, stream: RowStream) -> None:
        """Drops a stream, and what of it is not computed."""
        self._cancel_expiry(stream)
        if self._streams.get((owner, stream.name)) is stream:
            del self._streams[owner, stream.name]
        work = self._work.pop(stream, None)
        if work is not None and not work.done():
            _log.info(
                "stream %s is given up before row %d, with %d regions", stream.name, stream.next_row, stream.regions
            )
            work.cancel()

    def _cancel_expiry(self, stream: RowStream) -> None:
        timer = self._expiry.pop(stream, None)
        if timer is not None:
            timer.cancel()


def _require_same(stream: RowStream, known: Known) -> None:
    """Raises StreamConflict unless the request fits the stream."""
    given = {"model": known.model, **_values(known.options)}
    own = {"model": stream.artifact.name, **_values(stream.options)}
    if known.version is not None:
        given["version"], own["version"] = known.version, stream.artifact.version
    for name, value in given.items():
        if value != own[name]:
            raise StreamConflict(
                f"the stream {stream.name!r} has {name} {own[name]}, and the request has {value}; continue it with the "
                "same parameters, or begin another one"
            )
    if known.first_row is not None and known.first_row > stream.next_row:
        raise StreamConflict(
            f"first_row is {known.first_row:,}, and the stream {stream.name!r} has the rows before "
            f"{stream.next_row:,} only; send the rows from there on"
        )
    if known.first_row is not None and known.first_row < stream.first_row:
        raise StreamConflict(
            f"first_row is {known.first_row:,}, and the stream {stream.name!r} begins with row {stream.first_row:,}"
        )
    if not stream.oldest_kept - 1 <= known.after <= stream.regions:
        raise StreamConflict(
            f"after is {known.after:,}, and the stream {stream.name!r} has found {stream.regions:,} regions, of which "
            f"the server keeps those from {stream.oldest_kept:,} on"
        )


def _values(options: StreamOptions) -> dict[str, object]:
    """The options by the names of their parameters."""
    form, criteria = options.form, options.criteria
    return {
        "width": form.width,
        "channels": form.channels,
        "dtype": form.dtype.value,
        "threshold": criteria.threshold,
        "min_region_area": criteria.min_region_area,
        "longest_region": options.longest_region,
    }

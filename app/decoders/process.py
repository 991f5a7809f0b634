"""The server's side of one decoder process."""

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from app.decoders.forking import ForkServer
from app.decoders.messages import Reply, Task, receive
from app.decoders.shared_memory import DTYPES, Array, array_of


class DecoderEnded(Exception):
    """The process ended before it replied."""


@dataclass(frozen=True, slots=True)
class Received:
    """A reply, and the pixels of its picture."""

    reply: Reply
    pixels: Array | None


class Decoder:
    """A decoder process; works on one task at a time. `on_end` is called once when the process ends by itself."""

    def __init__(self, fork_server: ForkServer, on_end: Callable[["Decoder"], None]) -> None:
        """Raises OSError if no process can be started."""
        self._fork_server, self._on_end = fork_server, on_end
        self._loop = asyncio.get_running_loop()
        self._number: int | None = None
        self._awaited: asyncio.Future[Received | None] | None = None
        self._socket = fork_server.fork()
        self._loop.add_reader(self._socket, self._receive)
        self.has_ended = False

    @property
    def has_started(self) -> bool:
        """Whether the process has reported its number."""
        return self._number is not None

    async def started(self) -> None:
        """Waits until the process has started; raises DecoderEnded."""
        if not self.has_started:
            await self._next()

    async def ask(self, task: Task, descriptor: int) -> Received:
        """The reply to a task; `descriptor` is that of the picture's file.

        Raises DecoderEnded; OSError if the task could not be sent, because the process had ended before.
        """
        if self.has_ended:
            raise ConnectionResetError
        socket.send_fds(self._socket, [task.encode()], [descriptor])
        received = await self._next()
        assert received is not None
        return received

    def end(self) -> "asyncio.Future[int | None]":
        """Kills the process. The result is its exit status, or that with which it had ended; None: not known."""
        self._close()
        if self._number is None:  # it ends by itself when it starts, because its connection is closed
            unknown: asyncio.Future[int | None] = self._loop.create_future()
            unknown.set_result(None)
            return unknown
        return self._fork_server.end(self._number)

    async def _next(self) -> Received | None:
        if self.has_ended:
            raise DecoderEnded
        self._awaited = self._loop.create_future()
        try:
            return await self._awaited
        finally:
            self._awaited = None

    def _close(self) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._loop.remove_reader(self._socket)
            self._socket.close()
            if self._awaited is not None and not self._awaited.done():
                self._awaited.set_exception(DecoderEnded())

    def _receive(self) -> None:
        try:
            data, descriptors = receive(self._socket)
        except BlockingIOError:
            return
        try:
            if not data:
                raise ValueError("the connection is closed")
            received = None
            if self._number is None:
                self._number = int(data)
            else:
                received = _received(Reply.decode(data), descriptors)
            if self._awaited is not None and not self._awaited.done():
                self._awaited.set_result(received)
        except (ValueError, TypeError, KeyError, OSError):
            self._close()
            self._on_end(self)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def _received(reply: Reply, descriptors: list[int]) -> Received:
    """The reply with its pixels; raises ValueError, KeyError or OSError for a reply that no decoder sends."""
    if len(reply.shape) != 3:
        return Received(reply, None)
    if not descriptors:
        raise OSError("no descriptor could be received")
    channels, height, width = reply.shape
    return Received(reply, array_of(descriptors[0], (channels, height, width), DTYPES[reply.dtype]))

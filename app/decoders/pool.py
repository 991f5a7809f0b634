"""A bounded number of decoder processes, which are replaced when they end."""

import asyncio
import logging
import signal
from collections.abc import Callable
from enum import StrEnum
from signal import Signals

from app.decoders.forking import ForkServer
from app.decoders.messages import Task
from app.decoders.process import Decoder, DecoderEnded, Received
from app.errors import DecodingLimit, EngineStopped, InsufficientMemory, InvalidImage, TesseraError

_log = logging.getLogger(__name__)


class Replaced(StrEnum):
    """Why a decoder process was replaced.

    given_up: its request was given up: the deadline had passed, or the client had left
    processor_time, memory: it exceeded the limit for its picture
    crash: it ended by itself
    killed: the system killed it, probably because memory is short
    """

    given_up = "given_up"
    processor_time = "processor_time"
    memory = "memory"
    crash = "crash"
    killed = "killed"


class DecoderPool:
    """Up to `processes` decoders, which are forked when they are needed. For one event loop.

    `replaced` is called for each decoder that ends before the pool is stopped.
    """

    def __init__(self, fork_server: ForkServer, processes: int, replaced: Callable[[Replaced], None]) -> None:
        self._fork_server, self._replaced = fork_server, replaced
        self._free = asyncio.Semaphore(processes)
        self._idle: list[Decoder] = []
        self._busy: set[Decoder] = set()
        self._stopped = False

    async def run(self, task: Task, descriptor: int) -> Received:
        """The reply of a decoder to a task; see `Decoder.ask`. Cancelling it kills the decoder.

        Raises InvalidImage if the picture makes the decoder crash, DecodingLimit if it costs too much, EngineStopped,
        and InsufficientMemory if the system kills the decoder, or none can be started.
        """
        async with self._free:
            while True:
                decoder = await self._take()
                try:
                    received = await decoder.ask(task, descriptor)
                except DecoderEnded:
                    raise await self._explain(decoder, task) from None
                except OSError:  # it had ended while it was idle
                    decoder.end()
                    continue
                except asyncio.CancelledError:
                    self._discard(decoder, Replaced.given_up)
                    raise
                finally:
                    self._busy.discard(decoder)
                if received.reply.error == InsufficientMemory.__name__:
                    self._discard(decoder, Replaced.memory)
                    raise DecodingLimit(
                        f"reading this picture takes more than {task.memory_bytes / 2**20:,.0f} MiB of memory, the "
                        f"limit for a file of {task.file_bytes:,} bytes with its number of pixels; save it anew, with "
                        "common settings"
                    )
                self._idle.append(decoder)
                return received

    def stop(self) -> None:
        """Kills all decoders; their tasks, and all later ones, raise EngineStopped."""
        self._stopped = True
        for decoder in (*self._idle, *self._busy):
            decoder.end()
        self._idle.clear()

    async def _take(self) -> Decoder:
        """An idle decoder, or a new one, which counts as busy."""
        if self._stopped:
            raise EngineStopped("the server is shutting down; try again in a few seconds")
        try:
            decoder = self._idle.pop() if self._idle else Decoder(self._fork_server, self._lost)
        except OSError as error:
            raise InsufficientMemory(f"no process could be started to read the picture ({error}); try again") from error
        self._busy.add(decoder)
        try:
            await decoder.started()
        except DecoderEnded as error:
            self._busy.discard(decoder)
            if self._stopped:
                raise EngineStopped("the server is shutting down; try again in a few seconds") from None
            _log.error("a process that reads pictures ended while it started; its messages are in the error output")
            raise InsufficientMemory("no process could be started to read the picture; try again") from error
        except asyncio.CancelledError:
            self._busy.discard(decoder)
            self._idle.append(decoder)
            raise
        return decoder

    def _lost(self, decoder: Decoder) -> None:
        """An idle or busy decoder has ended by itself."""
        if decoder in self._idle:
            self._idle.remove(decoder)
            decoder.end()
            self._replaced(Replaced.crash)

    def _discard(self, decoder: Decoder, reason: Replaced) -> None:
        decoder.end()
        if not self._stopped:
            self._replaced(reason)

    async def _explain(self, decoder: Decoder, task: Task) -> TesseraError:
        """The error of the picture at which a decoder ended."""
        if self._stopped:
            return EngineStopped("the server is shutting down; try again in a few seconds")
        ended = decoder.end()
        reason = Replaced.crash
        try:
            status = await ended
            if status == -signal.SIGXCPU:
                reason = Replaced.processor_time
                return DecodingLimit(
                    f"reading this picture takes more than {task.processor_s} s of processor time, the limit for a "
                    f"file of {task.file_bytes:,} bytes with its number of pixels; save it anew, with common settings"
                )
            if status is None or status == -signal.SIGKILL:
                reason = Replaced.killed
                return InsufficientMemory(
                    "the system killed the process that read the picture, probably for lack of memory; try again, or "
                    "send a smaller picture"
                )
            how = Signals(-status).name if status < 0 else f"exit status {status}"
            _log.error("a process that read a picture of %d bytes crashed (%s)", task.file_bytes, how)
            return InvalidImage(
                f"the decoder crashed while it read this picture ({how}), so that the picture is refused; save it anew "
                "with another program"
            )
        finally:
            self._replaced(reason)

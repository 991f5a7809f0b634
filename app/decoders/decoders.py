"""Reads uploaded pictures in decoder processes."""

from collections.abc import Callable

from app import errors
from app.decoders.forking import ForkServer
from app.decoders.limits import header_limits, pixel_limits
from app.decoders.messages import Reply, Task
from app.decoders.pool import DecoderPool, Replaced
from app.decoders.shared_memory import Array

HEADER_PROCESSES = 2
"""One more than is needed, so that a costly header does not delay the others."""
Size = tuple[int, int]


class Decoders:
    """Up to `processes` processes that decode pictures, and others that read headers. For one event loop.

    Headers have processes of their own, so that a full queue is reported at once, even while all others decode. The
    processes end with the thread that called `start`. `lenient` is that of `decode`. `replaced` is called for each
    process that had to be replaced.
    """

    def __init__(self, processes: int, max_pixels: int, lenient: bool, replaced: Callable[[Replaced], None]) -> None:
        self._max_pixels, self._lenient = max_pixels, lenient
        self._fork_server = ForkServer()
        self._headers = DecoderPool(self._fork_server, HEADER_PROCESSES, replaced)
        self._pictures = DecoderPool(self._fork_server, processes, replaced)

    def start(self) -> None:
        """Starts the process from which the others are forked when they are needed."""
        self._fork_server.start()

    async def read_size(self, descriptor: int, file_bytes: int) -> tuple[Size, float]:
        """(height, width) of the upright picture, and the duration in seconds; see `read_header`.

        Raises the errors of `read_header`, and those of `DecoderPool.run`.
        """
        limits = header_limits(file_bytes)
        task = Task("size", file_bytes, self._max_pixels, self._lenient, limits.memory_bytes, limits.processor_s)
        reply = (await self._headers.run(task, descriptor)).reply
        _raise_error(reply)
        height, width = reply.shape
        return (height, width), reply.seconds

    async def read_pixels(self, descriptor: int, file_bytes: int, size: Size) -> tuple[Array, float]:
        """The upright picture of this size, [C,H,W] contiguous uint8 or uint16, and the duration in seconds.

        See `decode`. Raises its errors, and those of `DecoderPool.run`.
        """
        limits = pixel_limits(file_bytes, size[0] * size[1])
        task = Task("pixels", file_bytes, self._max_pixels, self._lenient, limits.memory_bytes, limits.processor_s)
        received = await self._pictures.run(task, descriptor)
        _raise_error(received.reply)
        if received.pixels is None or received.pixels.shape[1:] != size:
            raise errors.InvalidImage("the picture's pixels do not have the size of its header; save it anew")
        return received.pixels, received.reply.seconds

    def stop(self) -> None:
        """Kills all decoders; pictures that are being read, and all later ones, raise EngineStopped."""
        self._headers.stop()
        self._pictures.stop()

    async def close(self) -> None:
        """Kills all processes, and waits for their end."""
        self.stop()
        await self._fork_server.close()


def _raise_error(reply: Reply) -> None:
    """Raises the error of a reply; RuntimeError if it is no error of a picture."""
    if not reply.error:
        return
    for base in (errors.InvalidImage, errors.LimitExceeded):
        for kind in (base, *errors.every_error(base)):
            if kind.__name__ == reply.error:
                raise kind(reply.message)
    raise RuntimeError(f"a process that reads pictures failed: {reply.error}: {reply.message}")

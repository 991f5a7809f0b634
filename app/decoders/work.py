"""What a decoder process does: reads the pictures that the server sends, one after another."""

import ctypes
import os
import resource
import signal
import socket
import traceback
from contextlib import suppress
from math import ceil
from pathlib import Path
from time import perf_counter

import numpy as np

from app.decoders.messages import Reply, Task, receive
from app.decoders.shared_memory import Array, Shape, new_array
from app.decoding.decode import decode_array
from app.decoding.header import read_header
from app.errors import InsufficientMemory, TesseraError

KEPT_BYTES = 2**25
"""Memory that the C library may keep for the next picture; it does not count towards the limit of a picture."""
_PR_SET_PDEATHSIG = 1
_OOM_SCORE = 300  # above that of the server: if memory is short, the kernel kills a decoder first


def work(connection: socket.socket) -> None:
    """Answers tasks until the server closes the connection. A process ends after a lack of memory."""
    end_first()
    idle_bytes = address_space() + KEPT_BYTES
    connection.send(str(os.getpid()).encode())
    while True:
        data, descriptors = receive(connection)
        if not data:
            return
        task, out = Task.decode(data), _Pixels()
        set_limit(resource.RLIMIT_CPU, ceil(processor_s() + task.processor_s))
        set_limit(resource.RLIMIT_AS, idle_bytes + task.memory_bytes)
        reply = _answer(task, descriptors[0], out)
        set_limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
        os.close(descriptors[0])
        socket.send_fds(connection, [reply.encode()], out.descriptors)
        out.close()
        if reply.error == InsufficientMemory.__name__:
            return  # libraries may have leaked, or be in disorder


def end_first() -> None:
    """Makes the kernel end this process before the server if memory is short, without a core dump."""
    with suppress(OSError):  # /proc may be read-only
        score = Path("/proc/self/oom_score_adj")
        score.write_text(str(min(int(score.read_text()) + _OOM_SCORE, 1000)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Pixels:
    """The shared memory of a picture.

    descriptors: that of its file, if there is any
    """

    def __init__(self) -> None:
        self.descriptors: list[int] = []

    def allocate(self, shape: Shape, dtype: type[np.uint8] | type[np.uint16]) -> Array:
        try:
            array, descriptor = new_array(shape, dtype)
        except OSError as error:
            raise MemoryError(f"no memory for the pixels: {error.strerror}") from error
        self.descriptors.append(descriptor)
        return array

    def close(self) -> None:
        while self.descriptors:
            os.close(self.descriptors.pop())


def _answer(task: Task, descriptor: int, out: _Pixels) -> Reply:
    started = perf_counter()
    kind: type[Exception]
    try:
        data = _read(descriptor, task.file_bytes)
        if task.part == "size":
            header = read_header(data, max_pixels=task.max_pixels, lenient=task.lenient)
            return Reply(perf_counter() - started, (header.height, header.width))
        array = decode_array(data, max_pixels=task.max_pixels, lenient=task.lenient, allocate=out.allocate)
        return Reply(perf_counter() - started, array.shape, array.dtype.name)
    except TesseraError as error:
        kind, message = type(error), str(error)
    except MemoryError as error:
        kind, message = InsufficientMemory, str(error)
    except Exception as error:
        traceback.print_exc()
        kind, message = type(error), str(error)
    out.close()
    return Reply(perf_counter() - started, error=kind.__name__, message=message)


def _read(descriptor: int, size: int) -> bytes:
    """The first `size` bytes of a file, whose position is shared with the server and stays unchanged."""
    data = os.pread(descriptor, size, 0)
    if len(data) == size:
        return data
    parts, read = [data], len(data)
    while part := os.pread(descriptor, size - read, read):  # one call reads at most 2 GiB
        parts.append(part)
        read += len(part)
    return b"".join(parts)


def set_limit(kind: int, value: int) -> None:
    """Sets the soft limit, up to the hard limit, which a process cannot raise again."""
    hard = resource.getrlimit(kind)[1]
    limits = [limit for limit in (value, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min(limits, default=resource.RLIM_INFINITY), hard))


def processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def address_space() -> int:
    """The size of this process's address space, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def die_with(parent: int) -> None:
    """Makes the kernel kill this process when the thread that started it ends, at the latest with its process."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has died before
        os._exit(1)


def ignore_signals() -> None:
    """Ignores the signals that a terminal or a service manager sends to all processes of the server."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

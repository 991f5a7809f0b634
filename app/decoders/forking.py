"""The server's side of the fork server."""

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import suppress

from app.decoders.messages import receive

_END_S = 1.0
"""How long the end of killed processes is awaited."""
# One thread, one heap that keeps little, and mappings only for large blocks (see `app.heap`).
_VARIABLES = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**25),
}


class ForkServer:
    """Starts and ends decoder processes; starts the fork server when it is needed, and again if it died.

    For one event loop, whose thread must live as long as the processes (PR_SET_PDEATHSIG).
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ends: dict[int, asyncio.Future[int | None]] = {}

    def start(self) -> None:
        """Starts the fork server, which takes a quarter of a second; raises OSError."""
        if self._socket is not None:
            return
        own, other = _connection()
        try:
            with other:
                command = [
                    sys.executable,
                    "-P",
                    "-m",
                    "app.decoders.fork_server",
                    str(other.fileno()),
                    str(os.getpid()),
                ]
                paths = os.pathsep.join(path for path in sys.path if path)  # the modules that this process finds
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[other.fileno()],
                    env=os.environ | _VARIABLES | {"PYTHONPATH": paths},
                )
        except BaseException:
            own.close()
            raise
        self._socket = own
        asyncio.get_running_loop().add_reader(own, self._receive)

    def fork(self) -> socket.socket:
        """The connection to a new decoder, on which it first sends its process number; raises OSError.

        The decoder closes the connection when it ends.
        """
        self.start()
        assert self._socket is not None
        own, other = _connection()
        try:
            with other:
                socket.send_fds(self._socket, [b"fork"], [other.fileno()])
        except BaseException:
            own.close()
            raise
        return own

    def end(self, number: int) -> "asyncio.Future[int | None]":
        """Kills a decoder. The result is its exit status, negative for a signal; None if the fork server has died.

        The status of a decoder that had ended before is its own.
        """
        found: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        try:
            if self._socket is None:
                found.set_result(None)
            else:
                self._socket.send(f"end {number}".encode())
                self._ends[number] = found
        except OSError:
            found.set_result(None)
        return found

    async def close(self) -> None:
        """Kills all processes, and waits for their end."""
        process = self._process
        self._lose()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, _END_S)
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, _END_S)

    def _receive(self) -> None:
        assert self._socket is not None
        try:
            data, _ = receive(self._socket)
        except BlockingIOError:
            return
        if not data:
            process = self._process
            self._lose()
            if process is not None:
                process.kill()
                process.wait()
            return
        number, status = map(int, data.split())
        found = self._ends.pop(number)
        if not found.done():
            found.set_result(status)

    def _lose(self) -> None:
        """Forgets the process, and closes its connection, whereupon it ends."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        self._process = self._socket = None
        for found in self._ends.values():
            if not found.done():
                found.set_result(None)
        self._ends.clear()


def _connection() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep the bounds of packets; the first does not block."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own.setblocking(False)
    return own, other

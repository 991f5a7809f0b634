"""New connections before their protocols exist: accepted at once, so that probes need not wait behind the others."""

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable

from app.api.problems import refusal
from app.connections.last_answer import last_answer
from app.connections.probes import LOOKED_AT, is_probe
from app.connections.table import ConnectionTable

ACCEPTED_PER_TURN = 128
"""The most connections that one turn of the event loop accepts, if all of them have room."""
RETRY_S = 0.1
"""The time until the next connection is accepted after the process or the system had no free file."""
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Lobby:
    """Accepts connections, and opens few of them in each turn of the event loop: probes first.

    The system has one queue of new connections. To accept a connection takes a tenth of the time in which it is opened,
    read, and answered or closed. So a probe that comes behind a thousand connections is found in time only if they are
    accepted first and opened later. Of many probes the newest is the first, because programs that probe mostly connect
    anew. Those that wait count as connections of the table. Lives on one event loop.
    """

    def __init__(self, table: ConnectionTable, protocol: Callable[[], asyncio.Protocol]) -> None:
        """`protocol` makes the protocol of a connection."""
        self._table, self._protocol = table, protocol
        self._listeners: list[socket.socket] = []
        self._probes: deque[socket.socket] = deque()
        self._others: deque[socket.socket] = deque()
        self._opening: set[asyncio.Task[object]] = set()
        self._turn_comes = False

    def __len__(self) -> int:
        """The number of connections that are accepted and not open yet."""
        return len(self._probes) + len(self._others) + len(self._opening)

    def listen(self, listener: socket.socket) -> None:
        """Accepts the connections of this socket."""
        listener.setblocking(False)
        self._listeners.append(listener)
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def close(self) -> None:
        """Accepts no more connections, and closes those that are not open yet."""
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
        self._listeners.clear()
        for connection in (*self._probes, *self._others):
            connection.close()
        self._probes.clear()
        self._others.clear()

    def _accept(self, listener: socket.socket) -> None:
        refused, limits = 0, self._table.limits
        for _ in range(ACCEPTED_PER_TURN):
            if len(self._table) + len(self) >= limits.connections:
                if refused == limits.refused_per_turn or not self._make_room():
                    break  # the others stay in the queue of the system
                refused += 1
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError as error:
                if error.errno not in _NO_FILES:
                    raise
                self._pause(listener)
                break
            connection.setblocking(False)
            (self._probes if _sent_probe(connection) else self._others).append(connection)
        self._expect_turn()

    def _pause(self, listener: socket.socket) -> None:
        """Accepts nothing for a while, because there is no free file."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        if not self._table.out_of_files(len(self._others)):
            self._refuse_oldest()
        loop.call_later(RETRY_S, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _make_room(self) -> bool:
        return self._table.make_room(len(self._others)) or self._refuse_oldest()

    def _refuse_oldest(self) -> bool:
        """Closes the oldest connection that has not sent a probe, and returns whether there was one."""
        while self._others:
            connection = self._others.popleft()
            if not _sent_probe(connection):
                self._refuse(connection)
                return True
            self._probes.appendleft(connection)  # the probe came after the connection was accepted
        return False

    def _refuse(self, connection: socket.socket) -> None:
        error = self._table.refused()
        try:
            if connection.recv(2**16):
                connection.send(last_answer(refusal(None, error)))
        except OSError:  # it has sent nothing, or is gone
            pass
        connection.close()

    def _expect_turn(self) -> None:
        if (self._probes or self._others) and not self._turn_comes:
            self._turn_comes = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Opens some probes, the newest first, and some other connections, the oldest first."""
        self._turn_comes = False
        for waiting, take in ((self._probes, self._probes.pop), (self._others, self._others.popleft)):
            for _ in range(min(len(waiting), self._table.limits.opened_per_turn)):
                self._open(take())
        self._expect_turn()

    def _open(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._protocol, connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)


def _sent_probe(connection: socket.socket) -> bool:
    """Whether a connection has sent the whole head of a probe."""
    try:
        return is_probe(connection.recv(LOOKED_AT, socket.MSG_PEEK))
    except OSError:  # it has sent nothing yet, or is gone
        return False

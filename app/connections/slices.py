"""Spreads the work of many connections over turns of the event loop."""

import asyncio
from bisect import insort
from collections import deque
from enum import Enum, auto
from typing import Protocol

SLICES_PER_TURN = 8
"""The slices of each kind that one turn of the event loop allows: about 4 ms of work."""


class Slice(Enum):
    """The kinds of slices. None waits for another kind."""

    PROBE = auto()
    """A request for a probe. The newest connection is the first, because programs that probe mostly connect anew."""
    REQUEST = auto()
    """Another request, or data of a body."""
    REST = auto()
    """The rest of data that takes more than one slice, such as tiny chunks, and the ends of lost connections."""


class Sliced(Protocol):
    """A connection with work to do."""

    @property
    def number(self) -> int:
        """The number of connections that were opened before this one."""

    def work(self) -> None:
        """Does the next slice of the work."""


class Slices:
    """Lets few connections work in each turn of the event loop. Lives on one event loop.

    Without it, a turn in which a thousand connections send something would take half a second.
    """

    def __init__(self) -> None:
        self._waiting: dict[Slice, deque[Sliced]] = {kind: deque() for kind in Slice}
        self._left = dict.fromkeys(Slice, SLICES_PER_TURN)
        self._turn_comes = False

    def take(self, kind: Slice) -> bool:
        """Whether a connection may work now; otherwise it has to wait."""
        self._expect_turn()
        if self._waiting[kind] or not self._left[kind]:
            return False
        self._left[kind] -= 1
        return True

    def wait(self, connection: Sliced, kind: Slice) -> None:
        """Calls `work` of the connection in a later turn: in the order of the calls, unless the kind says otherwise."""
        if kind is Slice.PROBE:
            insort(self._waiting[kind], connection, key=lambda each: -each.number)
        else:
            self._waiting[kind].append(connection)
        self._expect_turn()

    def _expect_turn(self) -> None:
        if not self._turn_comes:
            self._turn_comes = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_comes = False
        self._left = dict.fromkeys(Slice, SLICES_PER_TURN)
        lines = self._waiting.values()
        now = [line.popleft() for line in lines for _ in range(min(SLICES_PER_TURN, len(line)))]
        if any(lines):
            self._expect_turn()
        for connection in now:
            connection.work()

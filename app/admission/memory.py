"""The memory of pictures in work: a picture waits, not decoded, until there is room for it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.errors import TooCostly

NAME = "max_work_bytes"
SHARE = 1 / 2
"""The share of the memory that one request takes at most."""
LINES = 5


@dataclass(slots=True, eq=False)
class Loan:
    """Memory that work has until a request needs it.

    size: in bytes
    recall: called when a request needs the memory, which is free for it from then on; must give up the work
    """

    size: int
    recall: Callable[[], object]
    _line: "_Line"

    def release(self) -> None:
        """Returns the memory, unless it was recalled or returned before."""
        if self in self._line.loans:
            self._line.loans.remove(self)
            self._line.leave(self.size)


@dataclass(slots=True)
class _Line:
    limit: int
    used: int = 0
    waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)
    loans: list[Loan] = field(default_factory=list)

    def has_room(self, size: int) -> bool:
        return self.used + size <= self.limit

    def recall_for(self, size: int) -> None:
        """Recalls loans, the newest first, until a request of this size has room."""
        while self.loans and not self.has_room(size):
            loan = self.loans.pop()
            self.used -= loan.size
            loan.recall()

    def leave(self, size: int) -> None:
        self.used -= size
        while self.waiting and (self.waiting[0][1].done() or self.has_room(self.waiting[0][0])):
            next_size, turn = self.waiting.popleft()
            if not turn.done():
                self.used += next_size
                turn.set_result(None)


class WorkMemory:
    """Delays requests while others hold too much memory; first come, first served. For one event loop.

    Requests are divided by size into lines. A line is for sizes up to four times those of the next line. The first
    line, for the largest requests, has half of the memory, and each next line has half of the rest. So a picture never
    waits for one that is more than four times as large. All lines together never exceed the limit.
    """

    def __init__(self, limit: int) -> None:
        self.name, self.limit, self.share = NAME, limit, int(limit * SHARE)
        parts = [limit >> (number + 1) for number in range(LINES - 1)]
        self._lines = [_Line(part) for part in (*parts, limit - sum(parts))]

    @property
    def used(self) -> int:
        """The bytes that are held."""
        return sum(line.used for line in self._lines)

    def require(self, size: int, what: str) -> None:
        """Raises TooCostly if no request may ever hold this number of bytes."""
        if size > self.share:
            raise TooCostly(
                f"{what} needs {size:,} bytes of memory, and one request may take {self.share:,}, which is half of "
                f"{NAME}; send a smaller picture, a region of it (roi), or fewer at once"
            )

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Waits until a request may take this number of bytes; they are taken until the `with` block ends."""
        line = self._line_of(size)
        line.recall_for(size)
        if not line.waiting and line.has_room(size):
            line.used += size
        else:
            turn = asyncio.get_running_loop().create_future()
            line.waiting.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    line.leave(size)  # it was admitted just before it was cancelled
                raise
        try:
            yield
        finally:
            line.leave(size)

    def lend(self, size: int, recall: Callable[[], object]) -> Loan | None:
        """Memory for work that nobody waits for, see Loan; None if there is no room now."""
        line = self._line_of(size)
        if size > self.share or line.waiting or not line.has_room(size):
            return None
        line.used += size
        line.loans.append(loan := Loan(size, recall, line))
        return loan

    def _line_of(self, size: int) -> _Line:
        number = 0
        while number < LINES - 1 and size * 4 ** (number + 1) <= self.share:
            number += 1
        return self._lines[number]

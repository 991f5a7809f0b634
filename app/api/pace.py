"""Spreads the beginnings of requests over turns of the event loop."""

import asyncio
from collections import deque


class Pace:
    """Lets `per_turn` requests begin in each turn of the event loop. Lives on one event loop.

    Without it, all requests of a burst would begin in one turn, and a probe would wait for all of them.
    """

    def __init__(self, per_turn: int) -> None:
        self._per_turn = self._left = per_turn
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_counting = False

    async def turn(self) -> None:
        """Returns when the request may begin: in the order of the calls."""
        loop = asyncio.get_running_loop()
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._next_turn)
        if self._left:
            self._left -= 1
            return
        self._waiting.append(loop.create_future())
        await self._waiting[-1]

    def _next_turn(self) -> None:
        self._left = self._per_turn
        while self._waiting and self._left:
            future = self._waiting.popleft()
            if not future.done():  # otherwise its request was cancelled
                future.set_result(None)
                self._left -= 1
        self._is_counting = bool(self._waiting)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next_turn)

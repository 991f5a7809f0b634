"""Several pictures of one request, answered in their order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

from app.errors import DeadlineExceeded, Overloaded

T = TypeVar("T")
Ask = Callable[[float | None], Awaitable[T]]
"""Answers a picture within this number of seconds (None: no limit)."""

IN_FLIGHT = 4
"""The largest number of pictures of a batch in flight: enough for a busy device, few enough for other clients."""
SHORTEST_WAIT_S = 0.05


async def answers(pictures: Sequence[Ask[T]], limit_s: float | None) -> AsyncGenerator[T | Exception, None]:
    """The results of the pictures in their order, each as soon as it and all earlier results are ready.

    The result of a picture that failed is its error. Pictures wait while the queue is full. `limit_s` is the time limit
    of all pictures together. The result of a picture that is not answered in time is Overloaded if the queue is
    expected to stay full until then, else DeadlineExceeded. Closing the iterator gives up the remaining work.
    """
    loop = asyncio.get_running_loop()
    end = None if limit_s is None else loop.time() + limit_s
    waiting, running = deque(pictures), deque[asyncio.Task[T | Exception]]()
    try:
        while waiting or running:
            while waiting and len(running) < IN_FLIGHT:
                running.append(asyncio.ensure_future(_outcome(waiting.popleft(), end, limit_s)))
            yield await running[0]
            running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _outcome(ask: Ask[T], end: float | None, limit_s: float | None) -> T | Exception:
    clock = asyncio.get_running_loop().time
    while True:
        left_s = None if end is None else end - clock()
        if left_s is not None and left_s <= 0:
            return DeadlineExceeded(
                f"the batch took more than {limit_s:g} s, and this picture is given up; allow more time "
                "(X-Request-Timeout, request_timeout_s), or send fewer pictures at once"
            )
        try:
            return await ask(left_s)
        except Overloaded as error:
            pause_s = max(error.retry_after_s, SHORTEST_WAIT_S)
            if left_s is not None and pause_s >= left_s:
                return error
            await asyncio.sleep(pause_s)
        except Exception as error:  # an error of one picture must not stop the others
            return error

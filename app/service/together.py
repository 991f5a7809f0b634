"""Several pictures of one request that are answered together, or not at all."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from app.errors import InvalidImage, InvalidRegion, LimitExceeded, NotFinite, Overloaded, TesseraError
from app.service.batch import IN_FLIGHT

T = TypeVar("T")
Ask = Callable[[], Awaitable[T]]
FAULTS = (InvalidImage, InvalidRegion, LimitExceeded, NotFinite)
"""The errors of a single picture."""


async def all_answers(asks: Sequence[Ask[T]]) -> list[T]:
    """The results of all pictures in their order. The first error cancels the remaining work and is raised.

    If the queue is full, a picture waits while other pictures of the request are in flight; else raises Overloaded.
    """
    answers: dict[int, T] = {}
    waiting, running = deque(range(len(asks))), dict[asyncio.Future[T], int]()
    limit = IN_FLIGHT
    try:
        while waiting or running:
            while waiting and len(running) < limit:
                number = waiting.popleft()
                running[asyncio.ensure_future(_named(asks[number], number, len(asks)))] = number
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                number = running.pop(task)
                if isinstance(task.exception(), Overloaded) and running:
                    waiting.appendleft(number)
                    limit = len(running)  # the picture is tried again when one of these has ended
                else:
                    answers[number] = task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return [answers[number] for number in range(len(asks))]


async def _named(ask: Ask[T], number: int, count: int) -> T:
    try:
        return await ask()
    except FAULTS as error:
        raise named(error, number, count) from error


def named(error: TesseraError, number: int, count: int) -> TesseraError:
    """The error with the number of the picture, counted from 0, if there are several."""
    return type(error)(f"picture {number} of {count}: {error}") if count > 1 else error

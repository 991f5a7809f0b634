"""Several pictures of one request that are answered together, or not at all."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from app.errors import InvalidImage, InvalidRegion, LimitExceeded, NotFinite, TesseraError

T = TypeVar("T")
Ask = Callable[[], Awaitable[T]]
FAULTS = (InvalidImage, InvalidRegion, LimitExceeded, NotFinite)
"""The errors of a single picture."""


async def all_answers(asks: Sequence[Ask[T]], at_once: int) -> list[T]:
    """The results of all pictures in their order; at most `at_once` are in flight.

    The first error cancels the remaining work and is raised.
    """
    answers: dict[int, T] = {}
    waiting, running = deque(range(len(asks))), dict[asyncio.Future[T], int]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number = waiting.popleft()
                running[asyncio.ensure_future(_named(asks[number], number, len(asks)))] = number
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                number = running.pop(task)
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

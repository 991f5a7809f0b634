import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from app.errors import InvalidImage, TooManyPixels
from app.service.batch import IN_FLIGHT
from app.service.together import all_answers


class Numbers:
    """Returns each number that it is given. Counts the numbers in work (`now`, at most `most`) and cancellations."""

    def __init__(self) -> None:
        self.now, self.most, self.left = 0, 0, 0

    async def ask(self, number: int, seconds: float = 0.0) -> int:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.left += 1
            raise
        finally:
            self.now -= 1
        return number


def test_answers_have_the_order_of_the_pictures() -> None:
    numbers = Numbers()
    found = asyncio.run(all_answers([partial(numbers.ask, n, 0.01 * (5 - n % 5)) for n in range(20)], IN_FLIGHT))
    assert found == list(range(20))
    assert numbers.most == IN_FLIGHT


@pytest.mark.parametrize("kind", [InvalidImage, TooManyPixels])
def test_an_error_names_its_picture_and_ends_the_others(kind: type[InvalidImage]) -> None:
    numbers = Numbers()

    async def fail() -> int:
        raise kind("it is bad")

    asks: list[Callable[[], Awaitable[int]]] = [partial(numbers.ask, 0, 60), fail, partial(numbers.ask, 2, 60)]

    with pytest.raises(kind, match=r"\b1 of 3\b.*it is bad$"):
        asyncio.run(all_answers(asks, IN_FLIGHT))
    assert numbers.now == 0 and numbers.left == 2


def test_an_error_of_a_single_picture_is_not_changed() -> None:
    async def fail() -> int:
        raise InvalidImage("it is bad")

    with pytest.raises(InvalidImage, match=r"^it is bad$"):
        asyncio.run(all_answers([fail], 1))


def test_cancelling_gives_up_all_work() -> None:
    numbers = Numbers()

    async def run() -> None:
        task = asyncio.ensure_future(all_answers([partial(numbers.ask, n, 60) for n in range(9)], IN_FLIGHT))
        await asyncio.sleep(0.01)
        assert numbers.now == IN_FLIGHT
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert numbers.now == 0 and numbers.left == IN_FLIGHT

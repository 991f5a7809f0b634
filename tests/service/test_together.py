import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from app.errors import InvalidImage, Overloaded, TooManyPixels
from app.service.batch import IN_FLIGHT
from app.service.together import all_answers


class Numbers:
    """Returns each number that it is given; raises Overloaded beyond `room` numbers at a time, as an admission does.

    Counts the numbers in work (`now`, at most `most`), refusals (`refused`) and cancellations (`left`).
    """

    def __init__(self, room: int = 100) -> None:
        self.room, self.now, self.most, self.refused, self.left = room, 0, 0, 0, 0

    async def ask(self, number: int, seconds: float = 0.0) -> int:
        if self.now >= self.room:
            self.refused += 1
            raise Overloaded("full", 1.0)
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
    found = asyncio.run(all_answers([partial(numbers.ask, n, 0.01 * (5 - n % 5)) for n in range(20)]))
    assert found == list(range(20))
    assert numbers.most == IN_FLIGHT


@pytest.mark.parametrize("room", [1, 2, 3])
def test_a_queue_that_is_full_of_own_pictures_is_retried(room: int) -> None:
    numbers = Numbers(room)
    assert asyncio.run(all_answers([partial(numbers.ask, n, 0.001) for n in range(12)])) == list(range(12))
    assert numbers.most == room and numbers.refused <= IN_FLIGHT


def test_a_queue_that_other_requests_fill_is_refused() -> None:
    numbers = Numbers(room=0)
    with pytest.raises(Overloaded):
        asyncio.run(all_answers([partial(numbers.ask, n) for n in range(12)]))
    assert numbers.refused <= IN_FLIGHT


@pytest.mark.parametrize("kind", [InvalidImage, TooManyPixels])
def test_an_error_names_its_picture_and_ends_the_others(kind: type[InvalidImage]) -> None:
    numbers = Numbers()

    async def fail() -> int:
        raise kind("it is bad")

    asks: list[Callable[[], Awaitable[int]]] = [partial(numbers.ask, 0, 60), fail, partial(numbers.ask, 2, 60)]

    with pytest.raises(kind, match=r"\b1 of 3\b.*it is bad$"):
        asyncio.run(all_answers(asks))
    assert numbers.now == 0 and numbers.left == 2


def test_an_error_of_a_single_picture_is_not_changed() -> None:
    async def fail() -> int:
        raise InvalidImage("it is bad")

    with pytest.raises(InvalidImage, match=r"^it is bad$"):
        asyncio.run(all_answers([fail]))


def test_cancelling_gives_up_all_work() -> None:
    numbers = Numbers()

    async def run() -> None:
        task = asyncio.ensure_future(all_answers([partial(numbers.ask, n, 60) for n in range(9)]))
        await asyncio.sleep(0.01)
        assert numbers.now == IN_FLIGHT
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert numbers.now == 0 and numbers.left == IN_FLIGHT

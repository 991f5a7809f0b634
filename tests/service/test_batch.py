import asyncio
from functools import partial

from app.errors import Overloaded
from app.service.batch import IN_FLIGHT, answers


def test_a_bounded_number_of_pictures_is_in_flight_and_order_is_kept() -> None:
    running = most = 0

    async def ask(number: int, left_s: float | None) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01 if number % 3 == 0 else 0)
        running -= 1
        return number

    async def collect() -> list[int | Exception]:
        return [each async for each in answers([partial(ask, number) for number in range(20)], None)]

    assert asyncio.run(collect()) == list(range(20))
    assert most == IN_FLIGHT


def test_a_full_queue_is_retried_until_the_deadline() -> None:
    tries = 0

    async def ask(free_after: int, left_s: float | None) -> str:
        nonlocal tries
        tries += 1
        if tries <= free_after:
            raise Overloaded("full", 0.01)
        return "answered"

    async def first(free_after: int, limit_s: float) -> str | Exception:
        return await anext(answers([partial(ask, free_after)], limit_s))

    assert asyncio.run(first(3, 60)) == "answered"
    assert isinstance(asyncio.run(first(10**9, 0.2)), Overloaded)


def test_pictures_in_flight_are_given_up_when_the_answers_are_closed() -> None:
    given_up = 0

    async def ask(number: int, left_s: float | None) -> int:
        nonlocal given_up
        try:
            await asyncio.sleep(0 if number == 0 else 3600)
        except asyncio.CancelledError:
            given_up += 1
            raise
        return number

    async def one() -> None:
        found = answers([partial(ask, number) for number in range(20)], None)
        assert await anext(found) == 0
        await found.aclose()

    asyncio.run(one())
    assert given_up == IN_FLIGHT - 1

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.admission import WorkMemory
from app.errors import TooCostly

LIMIT = 2**30
HUGE = LIMIT // 4 + 1
SMALL = LIMIT // 128
FIT = 8
"""Requests of LIMIT / 128 bytes that fit into their line, which has LIMIT / 16 bytes."""


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Decoders:
    """Pictures that hold memory until `leave`; `inside` lists them in the order of admission."""

    def __init__(self) -> None:
        self.room, self.inside = WorkMemory(LIMIT), list[str]()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._leave: dict[str, asyncio.Event] = {}

    def come(self, name: str, size: int) -> None:
        self._leave[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, size))

    def leave(self, name: str) -> None:
        self._leave[name].set()

    async def _hold(self, name: str, size: int) -> None:
        async with self.room.hold(size):
            self.inside.append(name)
            await self._leave[name].wait()


def test_pictures_are_admitted_in_order_as_far_as_they_fit() -> None:
    async def scenario() -> None:
        decoders = Decoders()
        names = [str(number) for number in range(FIT + 3)]
        for name in names:
            decoders.come(name, SMALL)
        await settle()
        assert decoders.inside == names[:FIT]
        decoders.leave("3")
        decoders.leave("7")
        await settle()
        assert decoders.inside == names[: FIT + 2]

    asyncio.run(scenario())


def test_huge_pictures_wait_for_each_other_and_small_ones_do_not_wait_for_them() -> None:
    async def scenario() -> None:
        decoders = Decoders()
        for name in "abc":
            decoders.come(name, HUGE)
        decoders.come("small", 1000)
        await settle()
        assert decoders.inside == ["a", "small"]
        decoders.leave("a")
        await settle()
        assert decoders.inside[-1] == "b"

    asyncio.run(scenario())


def test_a_picture_that_is_cancelled_while_it_waits_takes_no_room() -> None:
    async def scenario() -> None:
        decoders = Decoders()
        for name in "abcde":
            decoders.come(name, HUGE)
        await settle()
        decoders.tasks["b"].cancel()
        decoders.leave("a")  # at the same time
        await settle()
        assert decoders.inside == ["a", "c"]
        decoders.leave("c")  # admits "d", which is cancelled before its task runs again
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        decoders.tasks["d"].cancel()
        await settle()
        decoders.come("f", HUGE)
        await settle()
        assert decoders.inside[-1] == "e"
        decoders.leave("e")
        await settle()
        assert decoders.inside[-1] == "f"

    asyncio.run(scenario())


def test_room_is_free_again_after_errors() -> None:
    async def scenario() -> None:
        room = WorkMemory(LIMIT)
        for _ in range(3 * FIT):
            async with AsyncExitStack() as stack:
                try:
                    async with asyncio.timeout(1):
                        await stack.enter_async_context(room.hold(SMALL))
                        raise ValueError
                except ValueError:
                    pass

    asyncio.run(scenario())


def test_all_lines_together_never_exceed_the_limit() -> None:
    async def scenario() -> None:
        decoders = Decoders()
        for number in range(400):
            decoders.come(str(number), LIMIT // 2 // 4 ** (number % 6))
        await settle()
        assert LIMIT / 2 < decoders.room.used <= LIMIT
        assert len(decoders.inside) < 400

    asyncio.run(scenario())


def test_more_than_the_share_of_a_request_is_refused_with_the_limit() -> None:
    memory = WorkMemory(LIMIT)
    memory.require(LIMIT // 2, "the picture")
    with pytest.raises(TooCostly, match=r"536,870,913 bytes.*536,870,912.*max_work_bytes"):
        memory.require(LIMIT // 2 + 1, "the picture")


def test_lent_memory_is_recalled_for_a_request_and_for_no_other_loan() -> None:
    async def scenario() -> None:
        room, recalled = WorkMemory(LIMIT), list[str]()
        first = room.lend(HUGE, lambda: recalled.append("first"))
        assert first is not None and room.lend(HUGE, lambda: None) is None
        async with asyncio.timeout(10), room.hold(HUGE):
            assert recalled == ["first"] and room.used == HUGE
            first.release()
            assert room.used == HUGE
            assert room.lend(HUGE, lambda: None) is None
        again = room.lend(HUGE, lambda: None)
        assert again is not None
        again.release()
        assert room.used == 0
        assert room.lend(LIMIT, lambda: None) is None

    asyncio.run(scenario())

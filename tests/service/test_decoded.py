import asyncio
from contextlib import AsyncExitStack

from app.service.decoded import AT_LEAST, PIXELS, DecodedPixels

MEGAPIXEL = 2**20
FIT = PIXELS // MEGAPIXEL


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Decoders:
    """Pictures that hold room for their pixels until `leave`; `inside` lists them in the order of admission."""

    def __init__(self) -> None:
        self.room, self.inside = DecodedPixels(), list[str]()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._leave: dict[str, asyncio.Event] = {}

    def come(self, name: str, pixels: int) -> None:
        self._leave[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, pixels))

    def leave(self, name: str) -> None:
        self._leave[name].set()

    async def _hold(self, name: str, pixels: int) -> None:
        async with self.room.hold(pixels):
            self.inside.append(name)
            await self._leave[name].wait()


def test_pictures_are_admitted_in_order_as_far_as_they_fit() -> None:
    async def scenario() -> None:
        decoders = Decoders()
        names = [str(number) for number in range(FIT + 3)]
        for name in names:
            decoders.come(name, MEGAPIXEL)
        await settle()
        assert decoders.inside == names[:FIT]
        decoders.leave("3")
        decoders.leave("7")
        await settle()
        assert decoders.inside == names[: FIT + 2]

    asyncio.run(scenario())


def test_two_huge_pictures_are_admitted_and_small_ones_do_not_wait_for_them() -> None:
    async def scenario() -> None:
        decoders = Decoders()
        for name in "abc":
            decoders.come(name, 64 * MEGAPIXEL)
        decoders.come("small", 1000)
        await settle()
        assert decoders.inside == ["a", "b", "small"] and AT_LEAST == 2
        decoders.leave("a")
        await settle()
        assert decoders.inside[-1] == "c"

    asyncio.run(scenario())


def test_a_picture_that_is_cancelled_while_it_waits_takes_no_room() -> None:
    async def scenario() -> None:
        decoders = Decoders()
        for name in "abcde":
            decoders.come(name, 64 * MEGAPIXEL)
        await settle()
        decoders.tasks["c"].cancel()
        decoders.leave("a")  # at the same time
        await settle()
        assert decoders.inside == ["a", "b", "d"]
        decoders.leave("b")  # admits "e", which is cancelled before its task runs again
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        decoders.tasks["e"].cancel()
        await settle()
        decoders.come("f", 64 * MEGAPIXEL)
        await settle()
        assert decoders.inside[-1] == "f"

    asyncio.run(scenario())


def test_room_is_free_again_after_errors() -> None:
    async def scenario() -> None:
        room = DecodedPixels()
        for _ in range(3 * FIT):
            async with AsyncExitStack() as stack:
                try:
                    async with asyncio.timeout(1):
                        await stack.enter_async_context(room.hold(MEGAPIXEL))
                        raise ValueError
                except ValueError:
                    pass

    asyncio.run(scenario())

import asyncio

from app.admission import RequestShare


def test_pictures_of_a_request_wait_for_each_other_beyond_its_share() -> None:
    async def scenario() -> None:
        share, inside, most = RequestShare(tiles=10, memory_bytes=100), list[int](), 0

        async def picture(number: int, tiles: int, size: int) -> None:
            nonlocal most
            async with share.hold(tiles, size):
                inside.append(number)
                most = max(most, len(inside))
                await asyncio.sleep(0)
                inside.remove(number)

        async with asyncio.timeout(10):
            await asyncio.gather(*(picture(number, 5, 10) for number in range(9)))
            assert most == 2
            most = 0
            await asyncio.gather(*(picture(number, 1, 100) for number in range(9)))
            assert most == 1
            cancelled = asyncio.create_task(picture(0, 10, 100))
            waiting = asyncio.create_task(picture(1, 10, 100))
            await asyncio.sleep(0)
            cancelled.cancel()
            await waiting

    asyncio.run(scenario())

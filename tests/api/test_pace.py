"""Requests begin in order, a few in each turn of the event loop."""

import asyncio

from app.api.pace import Pace


def test_a_burst_begins_in_order_and_spread_over_turns() -> None:
    began: list[tuple[int, int]] = []  # the turn and the number of the request

    async def run() -> None:
        pace, turn = Pace(2), 0

        async def request(number: int) -> None:
            await pace.turn()
            began.append((turn, number))

        tasks = [asyncio.ensure_future(request(number)) for number in range(7)]
        tasks[3].cancel()
        while not all(task.done() for task in tasks):
            turn += 1
            await asyncio.sleep(0)
        await pace.turn()

    asyncio.run(run())
    assert [number for _, number in began] == [0, 1, 2, 4, 5, 6]
    turns = [turn for turn, _ in began]
    assert all(turns.count(turn) <= 2 for turn in turns)

"""How much work one turn of the event loop does."""

import asyncio

import h11

from app.connections.metered import PARTS_PER_SLICE, MeteredConnection
from app.connections.slices import SLICES_PER_TURN, Slice, Slices

BODY = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Worker:
    """Records its name when it works."""

    def __init__(self, name: str, done: list[str], number: int = 0) -> None:
        self._name, self._done, self.number = name, done, number

    def work(self) -> None:
        self._done.append(self._name)


def test_a_turn_does_few_slices_of_each_kind() -> None:
    done: list[str] = []

    async def run() -> list[int]:
        slices, counts = Slices(), []
        for number in range(20):
            slices.wait(Worker(f"rest {number}", done), Slice.REST)
        slices.wait(Worker("probe", done), Slice.PROBE)
        while len(done) < 21:
            await asyncio.sleep(0)
            counts.append(len(done))
        return counts

    counts = asyncio.run(run())
    steps = [after - before for before, after in zip([0, *counts], counts, strict=False)]
    assert max(steps) == SLICES_PER_TURN + 1 and done[0] == "probe"
    assert done[1:] == [f"rest {number}" for number in range(20)]


def test_the_probe_of_the_newest_connection_is_the_first() -> None:
    done: list[str] = []

    async def run() -> None:
        slices = Slices()
        for number in (3, 1, 4, 0, 2):
            slices.wait(Worker(f"{number}", done, number), Slice.PROBE)
        await asyncio.sleep(0)

    asyncio.run(run())
    assert done == ["4", "3", "2", "1", "0"]


def test_slices_are_given_at_once_until_the_turn_has_no_more() -> None:
    async def run() -> tuple[list[bool], bool, bool]:
        slices = Slices()
        taken = [slices.take(Slice.REQUEST) for _ in range(SLICES_PER_TURN + 1)]
        probe = slices.take(Slice.PROBE)
        await asyncio.sleep(0)
        return taken, probe, slices.take(Slice.REQUEST)

    taken, probe, later = asyncio.run(run())
    assert taken == [True] * SLICES_PER_TURN + [False]
    assert probe and later


def test_a_slice_parses_few_chunks() -> None:
    connection = MeteredConnection()
    connection.receive_data(BODY + b"1\r\na\r\n" * 20)
    events = []
    while (event := connection.next_event()) is not h11.NEED_DATA:
        events.append(event)
    assert len(events) == PARTS_PER_SLICE and connection.slice_ended
    connection.begin_slice()
    assert isinstance(connection.next_event(), h11.Data)


def test_the_head_of_a_response_is_sent_with_its_body() -> None:
    connection = MeteredConnection()
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.next_event()
    assert connection.send(h11.Response(status_code=200, headers=[("Content-Length", "2")])) == b""
    sent = connection.send(h11.Data(data=b"ok"))
    assert sent is not None and sent.startswith(b"HTTP/1.1 200 ") and sent.endswith(b"\r\n\r\nok")
    assert connection.sent == len(sent)

"""Clients that obey Retry-After exactly, in virtual time: bursts of many sizes, and clients that keep coming."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random

import pytest

from app.admission import Ticket, TileQueue
from app.errors import Overloaded

LIMIT = 4096
RATE = 120.0
"""Tiles per second of the simulated server."""
UNIT_TILES = 16
MIXES: dict[str, Sequence[int]] = {
    "small": (4,),
    "medium": (16, 63),
    "large": (225, 961),
    "mixed": (*[4] * 12, *[16] * 12, *[63] * 10, *[225] * 4, 961, 3969),
}
"""The tiles of pictures of 512 to 8192 pixels."""


@dataclass
class Server:
    """Shares its time among classes of sizes; the pictures of a class run in order.

    returns: for each client that came back once, whether it was admitted then
    waits: for each admitted client, the seconds from its first request
    """

    queue: TileQueue[object]
    slowness: float = 1.0
    now: float = 0.0
    returns: list[bool] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    idle_s: float = 0.0
    _running: dict[int, list[tuple[Ticket[object], int]]] = field(default_factory=lambda: defaultdict(list))
    _turn: int = 0

    def request(self, tiles: int, key: object, first_s: float, tries: int) -> float | None:
        """Admits a client, or returns when it has to come back."""
        again_s: float | None = None
        try:
            ticket = self.queue.admit(tiles, key=key, tile_s=1 / RATE / 2)  # the network alone is twice as fast
        except Overloaded as refused:
            admitted, again_s = False, self.now + refused.retry_after_s
        else:
            self._running[tiles.bit_length() // 2].append((ticket, tiles))
            self.waits.append(self.now - first_s)
            admitted = True
        if tries == 1:
            self.returns.append(admitted)
        return again_s

    def unit(self, until_s: float) -> None:
        """Runs a batch, or waits until the given time."""
        sizes = [size for size, pictures in self._running.items() if pictures]
        if not sizes:
            self.idle_s, self.now = self.idle_s + max(until_s - self.now, 0.0), max(self.now, until_s)
            return
        self._turn += 1
        pictures, left = self._running[sizes[self._turn % len(sizes)]], UNIT_TILES
        ended = []
        while pictures and left:
            ticket, tiles = pictures.pop(0)
            ran = min(tiles, left)
            ticket.ran(ran)
            left -= ran
            if ran == tiles:
                ended.append(ticket)
            else:
                pictures.insert(0, (ticket, tiles - ran))
        self.now += (UNIT_TILES - left) / RATE * self.slowness
        self.queue.measure(UNIT_TILES - left)
        for ticket in ended:
            self.queue.release(ticket)


def simulate(arrivals: Sequence[tuple[float, int, object]], seed: int, slowness: float = 1.0) -> Server:
    """Runs clients that arrive at these times with these tiles and keys, until all are answered."""
    server = Server(TileQueue(LIMIT, lambda: server.now, Random(seed).random), slowness)  # noqa: S311
    numbers = count()
    events = [(at, next(numbers), at, tiles, key, 0) for at, tiles, key in arrivals]
    events.sort()
    while events or server.queue.tiles:
        while events and events[0][0] <= server.now:
            _, _, first_s, tiles, key, tries = heappop(events)
            again_s = server.request(tiles, key, first_s, tries)
            if again_s is not None:
                heappush(events, (again_s, next(numbers), first_s, tiles, key, tries + 1))
        server.unit(events[0][0] if events else server.now)
    return server


def burst(clients: int, mix: str, seed: int, alike: bool) -> list[tuple[float, int, object]]:
    """Clients that arrive within a second; `alike`: those of one size send the same picture."""
    random = Random(seed)  # noqa: S311
    chosen = [(random.random(), random.choice(MIXES[mix])) for _ in range(clients)]
    return [(at, tiles, tiles if alike else (tiles, number)) for number, (at, tiles) in enumerate(chosen)]


@pytest.mark.parametrize("slowness", [1.0, 1.15], ids=["steady", "slower than measured"])
@pytest.mark.parametrize(
    ("clients", "mix"), [(50, "large"), (150, "mixed"), (200, "medium"), (300, "medium"), (300, "mixed")]
)
def test_most_clients_of_a_burst_are_admitted_when_they_first_come_back(
    clients: int, mix: str, slowness: float
) -> None:
    server = simulate(burst(clients, mix, seed=clients, alike=True), clients, slowness)
    assert len(server.waits) == clients
    assert len(server.returns) > 10
    assert sum(server.returns) >= 0.8 * len(server.returns), f"{sum(server.returns)} of {len(server.returns)}"


@pytest.mark.parametrize("overload", [1.2, 2.0])
def test_newcomers_do_not_take_what_others_were_promised(overload: float) -> None:
    random = Random(3)  # noqa: S311
    at = 0.0
    arrivals: list[tuple[float, int, object]] = []
    while at < 120:
        tiles = random.choice(MIXES["medium"])
        at += tiles / RATE / overload * random.expovariate(1.0)
        arrivals.append((at, tiles, len(arrivals)))
    server = simulate([*burst(100, "medium", 5, alike=False), *arrivals], seed=4)
    assert len(server.returns) > 50
    assert sum(server.returns) >= 0.8 * len(server.returns)


def test_the_server_does_not_idle_while_clients_wait() -> None:
    for clients, mix in ((300, "medium"), (150, "mixed")):
        server = simulate(burst(clients, mix, seed=1, alike=True), 1)
        assert server.idle_s < 0.25 * server.now

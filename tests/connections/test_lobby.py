"""The order in which accepted connections are opened."""

import asyncio
import socket
from contextlib import ExitStack

import pytest

from app.connections import ConnectionLimits, ConnectionTable, Lobby
from app.connections.probes import is_probe

PROBE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


class Opened(asyncio.Protocol):
    """Records the order in which connections are opened, by the ports of their clients."""

    def __init__(self, ports: "asyncio.Queue[int]") -> None:
        self._ports = ports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._ports.put_nowait(transport.get_extra_info("peername")[1])
        transport.close()


def order_of_opening(sent: list[bytes], connections: int = 1000) -> list[int]:
    """Connects a client for each, before the server accepts any; the numbers of the clients in the order of opening."""

    async def run(listener: socket.socket) -> list[int]:
        ports: asyncio.Queue[int] = asyncio.Queue()
        lobby = Lobby(ConnectionTable(ConnectionLimits(connections, 1, 1, 1)), lambda: Opened(ports))
        lobby.listen(listener)
        async with asyncio.timeout(10):
            opened = [await ports.get() for _ in sent]
        lobby.close()
        return opened

    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        clients = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in sent]
        for client, data in zip(clients, sent, strict=True):
            client.sendall(data)
        numbers = {client.getsockname()[1]: number for number, client in enumerate(clients)}
        return [numbers[port] for port in asyncio.run(run(listener))]


def test_a_probe_is_opened_before_a_hundred_connections_that_came_earlier() -> None:
    order = order_of_opening([HALF, b""] * 50 + [PROBE])
    assert order[0] == 100
    assert order[1:] == list(range(100))


def test_probes_do_not_keep_out_other_connections() -> None:
    order = order_of_opening([PROBE] * 50 + [HALF])
    assert order.index(50) < 20


def test_the_newest_probe_is_opened_first() -> None:
    assert order_of_opening([PROBE] * 50) == list(range(49, -1, -1))


def test_connections_that_cannot_be_served_stay_in_the_queue_of_the_system() -> None:
    assert sorted(order_of_opening([PROBE] * 60, connections=16)) == list(range(60))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PROBE, True),
        (b"HEAD /plant/readyz?x=1 HTTP/1.1\nHost: x\n\n", True),
        (PROBE + b"GET /", True),
        (HALF, False),
        (b"", False),
        (b"GET /livezz HTTP/1.1\r\n\r\n", False),
        (b"POST /livez HTTP/1.1\r\n\r\n", False),
        (b"GET /v1/models HTTP/1.1\r\nReferer: /livez \r\n\r\n", False),
    ],
)
def test_only_a_whole_head_of_a_probe_is_one(data: bytes, expected: bool) -> None:
    assert is_probe(data) is expected

"""Which connection is closed to make room for a new one."""

from app.connections import ConnectionLimits, ConnectionTable
from app.connections.watch import Phase
from app.errors import TesseraError

LIMITS = ConnectionLimits(16, head_timeout_s=10, stall_timeout_s=20, least_bytes_per_s=1000)
NEW = LIMITS.spare // 2


class Client:
    """A connection that waits for the head of a request."""

    phase, request, moved = Phase.HEAD, 0, 0
    is_closed = False

    def refuse(self, error: TesseraError) -> None:
        self.is_closed = True


def table_of(count: int) -> tuple[ConnectionTable, list[Client]]:
    table, clients = ConnectionTable(LIMITS), [Client() for _ in range(count)]
    for client in clients:
        table.opened(client)
    return table, clients


def closed(clients: list[Client]) -> list[int]:
    return [number for number, client in enumerate(clients) if client.is_closed]


def test_the_oldest_connection_without_a_request_is_closed_but_not_a_new_one() -> None:
    table, clients = table_of(NEW + 2)
    assert [table.make_room(0) for _ in range(3)] == [True, True, False]
    assert closed(clients) == [0, 1]


def test_an_idle_connection_is_closed_unless_many_wait() -> None:
    table, clients = table_of(NEW)
    table.request_began(clients[1])
    table.request_ended(clients[1])
    assert not table.make_room(NEW + 1)
    assert table.make_room(NEW) and closed(clients) == [1]


def test_without_a_free_file_a_new_connection_is_closed_too() -> None:
    table, clients = table_of(NEW)
    assert table.out_of_files(0) and closed(clients) == [0]

"""The time that a connection may take, in virtual time."""

import pytest

from app.connections.limits import ConnectionLimits, limit_for
from app.connections.watch import Phase, Watch

LIMITS = ConnectionLimits(100, head_timeout_s=10, stall_timeout_s=20, least_bytes_per_s=1000)


def expired_after(phase: Phase, bytes_per_s: int, seconds: int = 200) -> int | None:
    """The number of seconds after which the connection has exceeded its time; None: not in `seconds`."""
    watch = Watch(LIMITS)
    for second in range(seconds):
        if watch.look(phase, 1, bytes_per_s * second, 1.0, LIMITS.least_bytes_per_s) is not None:
            return second
    return None


@pytest.mark.parametrize(
    ("phase", "bytes_per_s", "expected"),
    [
        (Phase.HEAD, 0, 10),
        (Phase.HEAD, 5000, 10),
        (Phase.IDLE, 0, None),  # uvicorn's own limit
        (Phase.WORK, 0, None),
        (Phase.BODY, 0, 20),
        (Phase.BODY, 500, 39),
        (Phase.BODY, 1000, None),
        (Phase.ANSWER, 0, 20),
        (Phase.ANSWER, 50_000, None),
    ],
)
def test_only_waiting_for_the_client_is_limited(phase: Phase, bytes_per_s: int, expected: int | None) -> None:
    assert expired_after(phase, bytes_per_s) == expected


def test_bytes_are_not_saved_up_for_a_longer_pause() -> None:
    watch = Watch(LIMITS)
    watch.look(Phase.BODY, 1, 10**9, 1.0, 1000)
    pauses = [watch.look(Phase.BODY, 1, 10**9, 1.0, 1000) for _ in range(21)]
    assert pauses[18] is None and pauses[-1] is Phase.BODY


def test_each_request_has_an_allowance_of_its_own() -> None:
    watch = Watch(LIMITS)
    assert all(watch.look(Phase.BODY, number, 0, 15.0, 1000) is None for number in range(1, 9))


@pytest.mark.parametrize(("free", "expected"), [(216, 86), (20_000, 1000), (10, 8)])
def test_connections_and_their_uploads_fit_into_the_free_files(free: int, expected: int) -> None:
    limits = ConnectionLimits(limit_for(1000, free), 1, 1, 1)
    assert limits.connections == expected
    if expected > 8:
        assert limits.connections + limits.requests <= free - 64 + 1
    assert limits.requests < limits.probes < limits.connections or expected == 8

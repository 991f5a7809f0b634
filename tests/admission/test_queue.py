from contextlib import ExitStack
from threading import Thread

import pytest

from app.admission import TileQueue
from app.admission.budget import GUESS_S, LONGEST_S, MARGIN
from app.errors import Overloaded

LIMIT = 4096
SHARE = 512


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue(limit: int, clock: Clock | None = None) -> TileQueue[object]:
    """A queue without jitter."""
    return TileQueue(limit, clock or Clock(), draw=lambda: 0.0)


def measured(limit: int, clock: Clock, rate: int = 10) -> TileQueue[object]:
    """A queue that has measured this many tiles per second."""
    found = queue(limit, clock)
    with found.admit(limit) as ticket:
        clock.now += 1.0
        ticket.ran(rate)
        found.measure(rate)
    clock.now += 1000  # idle time is not measured
    return found


def test_full_queue_is_refused_at_once_and_names_the_limit() -> None:
    seen: list[int] = []
    found = queue(10)
    found.changed = seen.append
    with found.admit(6), found.admit(4):
        with pytest.raises(Overloaded, match=r"\b1 tile .* queue_tiles, which is 10; 10 are taken") as refused:
            found.admit(1)
        assert refused.value.limit == "queue_tiles"
    assert seen == [6, 10, 6, 0]


def test_a_large_picture_takes_the_share_of_one_request() -> None:
    found = queue(LIMIT)
    with found.admit(3969) as ticket:
        assert (found.tiles, found.budget.used) == (3969, SHARE) and ticket.tiles == 3969
    assert (found.tiles, found.budget.used) == (0, 0)


@pytest.mark.parametrize("tiles", [33, 128, 512, 3969])
def test_larger_pictures_never_lock_out_smaller_ones(tiles: int) -> None:
    found = queue(LIMIT)
    with ExitStack() as stack:
        admitted = 0
        with pytest.raises(Overloaded):
            while True:
                stack.enter_context(found.admit(tiles, key="large"))
                admitted += 1
        assert admitted * found.counted(tiles) >= LIMIT / 2
        for _ in range(100):  # they are promised room that small pictures do not wait for
            with pytest.raises(Overloaded):
                found.admit(tiles, key="large")
        for _ in range(LIMIT // 8 // 4):
            stack.enter_context(found.admit(4, key="small"))


def test_a_refused_picture_finds_its_room_when_it_comes_back_and_others_do_not_take_it() -> None:
    clock = Clock()
    found = measured(LIMIT, clock, rate=64)
    with ExitStack() as stack:
        tickets = [stack.enter_context(found.admit(64)) for _ in range(LIMIT // 64 - 16)]
        with pytest.raises(Overloaded) as refused:
            found.admit(512, key="large")
        for ticket in tickets[: int(refused.value.retry_after_s)]:
            clock.now += 1.0
            ticket.ran(64)
            found.measure(64)
            found.release(ticket)
            with pytest.raises(Overloaded):
                while True:  # others take the room that is not promised
                    stack.enter_context(found.admit(64, key="newcomer"))
        stack.enter_context(found.admit(512, key="large"))
        assert found.budget.returns_admitted > 0 and found.budget.returns_refused == 0


def test_promises_lapse_and_an_idle_queue_refuses_nobody() -> None:
    clock = Clock()
    found = queue(8, clock)
    with found.admit(8), pytest.raises(Overloaded):
        found.admit(8, key="gone")
    with found.admit(8):
        assert found.budget.promised == 8
    clock.now += 60
    with found.admit(1):
        assert found.budget.promised == 0


def test_promises_follow_each_other_and_are_limited() -> None:
    clock = Clock()
    found = measured(LIMIT, clock, rate=64)
    told = []
    with ExitStack() as stack:
        for _ in range((LIMIT - 2 * SHARE) // 64):
            stack.enter_context(found.admit(64))
        for _ in range(1000):
            with pytest.raises(Overloaded) as refused:
                found.admit(64)
            told.append(refused.value.retry_after_s)
    assert told == sorted(told)
    assert told[100] == pytest.approx(MARGIN * 100, abs=5) and max(told) <= LONGEST_S + 1
    assert found.budget.promised <= 64 * LONGEST_S


def test_the_rate_includes_other_work_than_tiles() -> None:
    clock = Clock()
    found = queue(10, clock)
    with found.admit(10) as ticket, pytest.raises(Overloaded) as refused:
        clock.now += 1.0  # for example decoding
        ticket.ran(4)
        found.measure(4)
        clock.now += 1.0
        found.measure(0)
        found.admit(10)
    assert refused.value.retry_after_s == pytest.approx(MARGIN * 6 / 2, abs=1)


@pytest.mark.parametrize(("tile_s", "expected"), [(None, GUESS_S), (0.5, 10)])
def test_before_the_first_measurement_that_of_loading_the_model_counts(tile_s: float | None, expected: float) -> None:
    found = queue(10)
    with found.admit(10), pytest.raises(Overloaded) as refused:
        found.admit(10, tile_s=tile_s)
    assert refused.value.retry_after_s == pytest.approx(MARGIN * expected, abs=1.5)


def test_a_wait_beyond_the_time_limit_is_refused_at_once() -> None:
    clock = Clock()
    found = measured(LIMIT, clock, rate=64)
    with found.admit(500):
        with found.admit(500, limit_s=60):
            pass
        with pytest.raises(Overloaded, match="time") as refused:
            found.admit(500, limit_s=10)
        assert refused.value.limit == "request_timeout_s" and 5 <= refused.value.retry_after_s <= 8
        with found.admit(4, limit_s=10):  # it does not wait for larger ones
            pass


def test_a_request_that_takes_a_part_as_its_answer_is_refused_only_for_the_wait() -> None:
    found = measured(LIMIT, Clock(), rate=64)
    with ExitStack() as earlier:
        for _ in range(80):
            earlier.enter_context(found.admit(4))
        with pytest.raises(Overloaded, match="time"):
            found.admit(500, limit_s=4, partial=True)
        with found.admit(500, limit_s=6, partial=True):  # 320 tiles run before it, and 64 of its own
            pass


def test_the_parts_of_a_request_take_no_further_room() -> None:
    found = queue(LIMIT)
    with found.admit(1000) as whole:
        with whole.part(500) as first, whole.part(500):
            assert (found.tiles, found.budget.used) == (1000, SHARE)
            first.ran(300)
        assert (found.tiles, found.budget.left) == (1000, 700)
    assert (found.tiles, found.budget.used, found.budget.left) == (0, 0, 0)


def test_room_is_given_back_exactly_once_even_after_an_error() -> None:
    found = queue(10)
    ticket = found.admit(4)
    with pytest.raises(ValueError), ticket:
        raise ValueError
    with ticket:
        pass
    assert found.tiles == found.budget.used == 0


def test_many_threads_leave_no_tiles_behind() -> None:
    found = queue(10**6)

    def come_and_go() -> None:
        for _ in range(500):
            with found.admit(3):
                pass

    threads = [Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.tiles == found.budget.used == 0

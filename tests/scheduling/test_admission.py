from contextlib import ExitStack
from threading import Thread

import pytest

from app.errors import Overloaded
from app.scheduling.admission import GUESS_S, Admission


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admission(limit: int, clock: Clock | None = None) -> tuple[Admission, list[int]]:
    seen: list[int] = []
    return Admission(limit, clock or Clock(), seen.append), seen


def test_full_queue_is_refused_at_once() -> None:
    queue, seen = admission(10)
    with queue.admit(6), queue.admit(4), pytest.raises(Overloaded, match=r"\b1 tiles\b.*\b10\b.*\b10\b"):
        queue.admit(1)
    assert seen == [6, 10, 6, 0]


def test_picture_larger_than_the_limit_is_admitted_alone() -> None:
    queue, _ = admission(10)
    with queue.admit(1), pytest.raises(Overloaded):
        queue.admit(11)
    with queue.admit(11) as ticket:
        assert queue.tiles == ticket.tiles == 11
        with pytest.raises(Overloaded):
            queue.admit(1)
    assert queue.tiles == 0


def measured(limit: int) -> Admission:
    """An admission that has measured 10 tiles per second."""
    clock = Clock()
    queue, _ = admission(limit, clock)
    with queue.admit(8):
        clock.now += 0.8
        queue.ran(8)
    clock.now += 1000  # idle time is not measured
    return queue


@pytest.mark.parametrize(
    ("held", "requested", "ahead"),
    [
        ([10], 4, 10),  # a picture's room is free only after all of its tiles ran
        ([8, 2], 2, 2),
        ([8, 2], 3, 10),
        ([4, 3, 2, 1], 5, 6),
        ([3], 11, 3),
    ],
)
def test_retry_after_is_the_time_until_pictures_with_enough_tiles_end(
    held: list[int], requested: int, ahead: int
) -> None:
    queue = measured(10)
    with ExitStack() as stack:
        for tiles in held:
            stack.enter_context(queue.admit(tiles))
        with pytest.raises(Overloaded) as refused:
            queue.admit(requested)
    assert refused.value.retry_after_s == pytest.approx(ahead / 10)


def test_retry_after_does_not_count_tiles_that_ran_already() -> None:
    queue = measured(10)
    with queue.admit(10) as ticket, pytest.raises(Overloaded) as refused:
        ticket.left = 1
        queue.admit(1)
    assert refused.value.retry_after_s == pytest.approx(0.1)


def test_the_pace_includes_other_work_than_tiles() -> None:
    clock = Clock()
    queue, _ = admission(10, clock)
    with queue.admit(10), pytest.raises(Overloaded) as refused:
        clock.now += 1.0  # for example decoding
        queue.ran(4)
        clock.now += 1.0
        queue.ran(0)
        queue.admit(1)
    assert refused.value.retry_after_s == pytest.approx(10 / 2)


def test_retry_after_is_a_guess_before_the_first_measurement() -> None:
    queue, _ = admission(1)
    with queue.admit(1), pytest.raises(Overloaded) as refused:
        queue.admit(1)
    assert refused.value.retry_after_s == GUESS_S


def test_room_is_given_back_exactly_once_even_after_an_error() -> None:
    queue, _ = admission(10)
    ticket = queue.admit(4)
    with pytest.raises(ValueError), ticket:
        raise ValueError
    with ticket:
        pass
    assert queue.tiles == 0


def test_many_threads_leave_no_tiles_behind() -> None:
    queue, _ = admission(10**6)

    def come_and_go() -> None:
        for _ in range(500):
            with queue.admit(3):
                pass

    threads = [Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.tiles == 0

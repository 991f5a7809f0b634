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


def admission(bound: int, clock: Clock | None = None) -> tuple[Admission, list[int]]:
    seen: list[int] = []
    return Admission(bound, clock or Clock(), seen.append), seen


def test_full_queue_is_refused_at_once() -> None:
    queue, seen = admission(10)
    with queue.admit(6), queue.admit(4), pytest.raises(Overloaded, match="1 tiles, 10 of at most 10"):
        queue.admit(1)
    assert seen == [6, 10, 6, 0]


def test_picture_larger_than_the_bound_is_admitted_alone() -> None:
    queue, _ = admission(10)
    with queue.admit(1), pytest.raises(Overloaded):
        queue.admit(11)
    with queue.admit(11) as ticket:
        assert queue.tiles == ticket.tiles == 11
        with pytest.raises(Overloaded):
            queue.admit(1)
    assert queue.tiles == 0


def measured(bound: int) -> Admission:
    """Runs 10 tiles a second, while there are any."""
    clock = Clock()
    queue, _ = admission(bound, clock)
    with queue.admit(8):
        clock.now += 0.8
        queue.ran(8)
    clock.now += 1000  # nothing to do
    return queue


@pytest.mark.parametrize(
    ("held", "asked", "ahead"),
    [
        ([10], 4, 10),  # the room of a picture is free once all of it was run
        ([8, 2], 2, 2),
        ([8, 2], 3, 10),
        ([4, 3, 2, 1], 5, 6),
        ([3], 11, 3),
    ],
)
def test_retry_after_is_the_time_until_pictures_of_enough_tiles_are_done(
    held: list[int], asked: int, ahead: int
) -> None:
    queue = measured(10)
    with ExitStack() as stack:
        for tiles in held:
            stack.enter_context(queue.admit(tiles))
        with pytest.raises(Overloaded) as refused:
            queue.admit(asked)
    assert refused.value.retry_after_s == pytest.approx(ahead / 10)


def test_retry_after_does_not_count_tiles_that_ran_already() -> None:
    queue = measured(10)
    with queue.admit(10) as ticket, pytest.raises(Overloaded) as refused:
        ticket.left = 1
        queue.admit(1)
    assert refused.value.retry_after_s == pytest.approx(0.1)


def test_the_pace_includes_what_is_done_besides_tiles() -> None:
    clock = Clock()
    queue, _ = admission(10, clock)
    with queue.admit(10), pytest.raises(Overloaded) as refused:
        clock.now += 1.0  # decoding, say
        queue.ran(4)
        clock.now += 1.0
        queue.ran(0)
        queue.admit(1)
    assert refused.value.retry_after_s == pytest.approx(10 / 2)


def test_retry_after_is_a_guess_before_anything_was_measured() -> None:
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


def test_many_threads_leave_nothing_behind() -> None:
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

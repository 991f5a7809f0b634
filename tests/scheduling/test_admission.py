from threading import Thread

import pytest

from app.errors import Overloaded
from app.scheduling.admission import GUESS_S, Admission
from app.scheduling.pace import Pace


def admission(bound: int, pace: Pace | None = None) -> tuple[Admission, list[int]]:
    seen: list[int] = []
    return Admission(bound, pace or Pace(), seen.append), seen


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


@pytest.mark.parametrize(
    ("held", "asked", "ahead"),
    [(10, 4, 4), (8, 4, 2), (10, 11, 10), (3, 11, 3)],
)
def test_retry_after_is_the_time_until_enough_tiles_are_done(held: int, asked: int, ahead: int) -> None:
    pace = Pace()
    pace.add(20, 2.0)
    queue, _ = admission(10, pace)
    with queue.admit(held), pytest.raises(Overloaded) as refused:
        queue.admit(asked)
    assert refused.value.retry_after_s == pytest.approx(ahead / 10)


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

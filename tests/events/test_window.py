from app.events.backoff import FIRST_S, LONGEST_S, wait_s
from app.events.outbox import Key
from app.events.window import DOWN_AFTER, Window


def window(count: int) -> tuple[Window, list[Key]]:
    made, keys = Window(lambda: 0.999), [Key(number) for number in range(count)]
    for key in keys:
        made.add(key)
    return made, keys


def test_waits_double_up_to_a_limit_and_vary_by_a_half() -> None:
    longest = [wait_s(failures, lambda: 1.0) for failures in range(1, 20)]
    assert longest[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert max(longest) == LONGEST_S
    assert wait_s(1, lambda: 0.0) == FIRST_S / 2
    assert wait_s(1, lambda: 0.0, asked_s=30) == 30
    assert wait_s(1, lambda: 0.0, asked_s=1e9) == LONGEST_S


def test_an_event_that_fails_lets_the_others_pass() -> None:
    made, keys = window(3)
    assert made.next(0.0) == keys[0]
    made.failed(keys[0], 0.0, None)
    for key in keys[1:]:
        assert made.next(0.0) == key
        made.done(key)
    again = made.next(0.0)
    assert isinstance(again, float) and 0.5 * FIRST_S <= again <= FIRST_S
    assert made.next(again) == keys[0]


def test_events_in_flight_are_not_sent_twice() -> None:
    made, keys = window(2)
    assert [made.next(0.0) for _ in range(3)] == [*keys, None]


def test_a_receiver_that_is_down_gets_one_attempt_after_each_wait() -> None:
    made, _ = window(100)
    attempts, now_s = 0, 0.0
    while now_s < 600:
        found = made.next(now_s)
        if isinstance(found, Key):
            attempts += 1
            assert attempts <= DOWN_AFTER or made.next(now_s) is None  # no second one beside it
            made.failed(found, now_s, None)
        else:
            assert found is not None
            now_s = found
    assert DOWN_AFTER < attempts < 2 * DOWN_AFTER + 3


def test_a_receiver_that_works_again_gets_everything_at_once() -> None:
    made, keys = window(20)
    now_s = 0.0
    for _ in range(12):
        while not isinstance(found := made.next(now_s), Key):
            assert found is not None
            now_s = found
        made.failed(found, now_s, None)
    now_s += LONGEST_S
    taken = []
    while isinstance(found := made.next(now_s), Key):
        made.done(found)
        taken.append(found)
    assert sorted(taken, key=lambda key: key.number) == keys


def test_a_wait_that_the_receiver_asks_for_is_kept_for_all_events() -> None:
    made, keys = window(2)
    assert made.next(0.0) == keys[0]
    made.failed(keys[0], 0.0, 20.0)
    assert made.next(10.0) == 20.0

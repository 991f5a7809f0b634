from collections.abc import Iterator
from threading import Barrier, current_thread

import pytest
import torch

from app.training.side_by_side import at_once, side_by_side


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_two_items_are_worked_on_at_once_and_yielded_in_order() -> None:
    together = Barrier(2, timeout=30)

    def work(item: int) -> tuple[int, int]:
        together.wait()  # only passes if another item is worked on
        return item, torch.get_num_threads()

    assert list(side_by_side(work, range(6), 2)) == [(item, 1) for item in range(6)]
    assert torch.get_num_threads() == 2


def test_items_are_taken_only_one_more_than_are_worked_on() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(10):
            taken.append(item)
            yield item

    results = side_by_side(lambda item: item, items(), 2)
    assert next(results) == 0
    assert (len(taken), torch.get_num_threads()) == (3, 1)
    results.close()
    assert (len(taken), torch.get_num_threads()) == (3, 2)


def test_an_error_is_raised_in_its_place() -> None:
    results = side_by_side(lambda item: 1 // item, [1, 1, 0, 1], 2)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert torch.get_num_threads() == 2


def test_one_item_at_once_is_worked_on_by_the_calling_thread() -> None:
    assert list(side_by_side(lambda item: (item, current_thread()), [1, 2], 1)) == [
        (1, current_thread()),
        (2, current_thread()),
    ]


def test_items_at_once_are_limited_by_the_threads_of_torch() -> None:
    assert at_once(torch.device("cpu")) == 2
    assert at_once(torch.device("meta")) == 1
    torch.set_num_threads(1)
    assert at_once(torch.device("cpu")) == 1

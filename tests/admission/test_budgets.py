import pytest

from app.admission import Budgets, Cost, limits_for
from app.errors import LimitExceeded, TooCostly, TooManyPixels

GIB = 2**30


@pytest.mark.parametrize(
    ("free", "waiting", "work"),
    [(64 * GIB, GIB, 32 * GIB), (2 * GIB, GIB // 2, GIB), (GIB // 2, 272 * 2**20, GIB // 4)],
)
def test_defaults_follow_from_the_free_memory(free: int, waiting: int, work: int) -> None:
    limits = limits_for(
        max_image_bytes=272 * 2**20,
        max_waiting_bytes=0,
        max_work_bytes=0,
        max_pixels=1,
        queue_tiles=1,
        free_bytes=lambda: free,
    )
    assert (limits.max_waiting_bytes, limits.max_work_bytes) == (waiting, work)


@pytest.mark.parametrize(
    ("cost", "error", "named"),
    [
        (Cost(1, 401, 10, None), TooManyPixels, "max_pixels"),
        (Cost(1, 400, 501, None), TooCostly, "max_work_bytes"),
    ],
)
def test_what_is_never_admitted_is_refused_with_its_limit(cost: Cost, error: type[LimitExceeded], named: str) -> None:
    limits = limits_for(max_image_bytes=1, max_waiting_bytes=1, max_work_bytes=1000, max_pixels=100, queue_tiles=1)
    budgets: Budgets[object] = Budgets(limits)
    budgets.require(Cost(10**6, 400, 500, None))
    with pytest.raises(error, match=named) as refused:
        budgets.require(cost)
    assert refused.value.limit == named

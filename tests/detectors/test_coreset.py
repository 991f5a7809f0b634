from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from app.detectors.coreset import LEAF, Selection, k_center_greedy, selection_bytes, selection_seconds
from tests.neighbours import FAMILIES, Family


def plain(points: Tensor, count: int, first: int) -> list[int]:
    """The definition: each centre is the point farthest from all before it."""
    chosen = [first]
    distances = torch.full((len(points),), torch.inf)
    while len(chosen) < count:
        distances = torch.minimum(distances, torch.linalg.vector_norm(points - points[chosen[-1]], dim=1))
        chosen.append(int(distances.argmax()))
    return chosen


@pytest.mark.parametrize("size", [50, LEAF, LEAF + 1, 5 * LEAF])
def test_centres_are_those_of_the_definition(size: int) -> None:
    points = torch.randn(size, 5, generator=torch.Generator().manual_seed(0)) @ torch.randn(5, 12)
    assert k_center_greedy(points, 40, first=7).tolist() == plain(points, 40, first=7)


def test_many_centres_of_many_points_are_those_of_the_definition() -> None:
    """So many that all levels of candidates are updated several times."""
    points = torch.randn(12 * LEAF, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert k_center_greedy(points, 900).tolist() == plain(points, 900, first=0)


def test_every_point_can_be_chosen_once() -> None:
    points = torch.randn(LEAF + 300, 3)
    assert sorted(k_center_greedy(points, len(points)).tolist()) == list(range(len(points)))


@pytest.mark.parametrize("family", FAMILIES)
def test_each_centre_is_the_farthest_point_if_points_are_coded(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the rounding of float32."""
    for name, value in {"CODED_POINTS": 1, "CODED_CENTRES": 1, "FIRST": 4, "FEWEST": 1, "LEAF": 64}.items():
        monkeypatch.setattr(f"app.detectors.coreset.{name}", value)
    points = family(1500, 300, torch.Generator().manual_seed(0))
    chosen = k_center_greedy(points, 400).tolist()
    assert len(set(chosen)) == 400
    exact = points.double()
    rounding = 2 * float(exact.square().sum(1).amax()) * 4 * (300 + 8) * 2**-24
    squares = torch.full((1500,), torch.inf, dtype=torch.float64)
    for before, centre in pairwise(chosen):
        squares = torch.minimum(squares, (exact - exact[before]).square().sum(1))
        assert squares[centre] >= squares.max() * (1 - 1e-5) - rounding


def test_points_of_any_layout_are_coded(monkeypatch: pytest.MonkeyPatch) -> None:
    points = torch.randn(3000, 20)
    expected = k_center_greedy(points, 300)
    for name in ("CODED_POINTS", "CODED_CENTRES", "FIRST"):
        monkeypatch.setattr(f"app.detectors.coreset.{name}", 1)
    assert torch.equal(k_center_greedy(points, 300), expected)
    assert torch.equal(k_center_greedy(points.T.contiguous().T, 300), expected)


@pytest.mark.parametrize("value", [1e18, torch.inf])
def test_points_that_cannot_be_coded_are_selected_without_codes(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    points = torch.randn(600, 20)
    points[5] = value
    expected = k_center_greedy(points, 100)
    monkeypatch.setattr("app.detectors.coreset.CODED_POINTS", 1)
    monkeypatch.setattr("app.detectors.coreset.CODED_CENTRES", 1)
    assert torch.equal(k_center_greedy(points, 100), expected)


def test_the_memory_of_codes_is_counted_only_if_points_are_coded() -> None:
    assert selection_bytes(10**6, 100) == 0
    assert 200 * 10**6 < selection_bytes(10**6, 10**5) < 700 * 10**6


def test_equal_points_are_not_chosen_twice() -> None:
    chosen = k_center_greedy(torch.ones(LEAF + 300, 3) / 3, LEAF + 200)
    assert len(set(chosen.tolist())) == LEAF + 200


def test_progress_counts_the_centres() -> None:
    seen: list[tuple[int, int]] = []
    k_center_greedy(torch.randn(100, 3), 5, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 5) for number in range(1, 6)]


@pytest.mark.parametrize("coded", [False, True])
def test_a_selection_is_continued_with_the_same_result(coded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"CODED_POINTS": 1, "CODED_CENTRES": 1, "FIRST": 4, "FEWEST": 1} if coded else {}
    for name, value in (values | {"LEAF": 64}).items():
        monkeypatch.setattr(f"app.detectors.coreset.{name}", value)
    points = torch.randn(2000, 20, generator=torch.Generator().manual_seed(0))
    kept: list[Selection] = []
    chosen = k_center_greedy(points, 300, first=5, keep=kept.append)
    assert len(kept) >= 4
    for known in (kept[0], kept[len(kept) // 2], kept[-1], Selection(chosen, kept[-1].bounds)):
        seen: list[tuple[int, int]] = []
        again = k_center_greedy(points, 300, known=known, progress=lambda *state: seen.append(state))  # noqa: B023
        assert torch.equal(again, chosen)
        assert seen[0] == (len(known.chosen), 300)


def test_the_estimated_time_grows_with_points_and_centres() -> None:
    """Each trial takes a second."""

    def seconds(work: Callable[[], object]) -> float:
        work()
        return 1.0

    sample = torch.randn(2048, 8)
    small, more, both = (
        selection_seconds(sample, points, centres, seconds)
        for points, centres in ((10**4, 100), (10**4, 200), (10**6, 200))
    )
    assert more == pytest.approx(2 * small)
    assert both > 10 * more


@pytest.mark.parametrize("count", [0, 11])
def test_an_impossible_number_of_centres_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        k_center_greedy(torch.randn(10, 3), count)


@pytest.mark.gpu
def test_centres_on_the_gpu_cover_as_well_as_those_on_the_cpu() -> None:
    points = torch.randn(5 * LEAF, 12)
    radius = [
        float(torch.cdist(points, points[chosen.cpu()]).amin(1).max())
        for chosen in (k_center_greedy(points, 200), k_center_greedy(points.cuda(), 200))
    ]
    assert radius[1] == pytest.approx(radius[0], rel=0.02)

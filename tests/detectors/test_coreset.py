import pytest
import torch
from torch import Tensor

from app.detectors.coreset import LEAF, k_center_greedy


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
    """Enough of them for all levels of candidates to be brought up to date several times."""
    points = torch.randn(3 * LEAF, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert k_center_greedy(points, 900).tolist() == plain(points, 900, first=0)


def test_every_point_can_be_chosen_once() -> None:
    points = torch.randn(LEAF + 300, 3)
    assert sorted(k_center_greedy(points, len(points)).tolist()) == list(range(len(points)))


def test_equal_points_are_not_chosen_twice() -> None:
    chosen = k_center_greedy(torch.ones(LEAF + 300, 3) / 3, 600)
    assert len(set(chosen.tolist())) == 600


def test_progress_counts_the_centres() -> None:
    seen: list[tuple[int, int]] = []
    k_center_greedy(torch.randn(100, 3), 5, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 5) for number in range(1, 6)]


@pytest.mark.parametrize("count", [0, 11])
def test_more_centres_than_points_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="use 1 to 10"):
        k_center_greedy(torch.randn(10, 3), count)


@pytest.mark.gpu
def test_centres_on_the_gpu_cover_as_well_as_those_on_the_cpu() -> None:
    points = torch.randn(5 * LEAF, 12)
    radius = [
        float(torch.cdist(points, points[chosen.cpu()]).amin(1).max())
        for chosen in (k_center_greedy(points, 200), k_center_greedy(points.cuda(), 200))
    ]
    assert radius[1] == pytest.approx(radius[0], rel=0.02)

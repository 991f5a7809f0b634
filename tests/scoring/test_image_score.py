"""The mean of the highest values against a sorted copy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from app.scoring import Largest, MeanOfHighest, mean_of_highest
from app.scoring.image_score import PART


def expected(values: Tensor) -> Tensor:
    """The mean of the highest thousandth, at least one value."""
    count = max(1, values.numel() // 1000)
    return torch.tensor(np.sort(values.double().numpy(), axis=None)[-count:].mean()).float()


@pytest.mark.parametrize("shape", [(1, 1), (3, 333), (40, 50), (700, 900), (1, 5 * PART + 1)])
@pytest.mark.parametrize("order", ["random", "rising", "falling", "equal", "mostly equal"])
def test_the_score_is_the_mean_of_the_highest_thousandth(shape: tuple[int, int], order: str) -> None:
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    if order == "equal":
        values.fill_(0.3)
    elif order == "mostly equal":
        values[values < 0.9995] = 0.5
    elif order != "random":
        values = values.flatten().sort(descending=order == "falling").values.view(shape)
    torch.testing.assert_close(mean_of_highest(values), expected(values), rtol=1e-6, atol=0)


def test_maps_of_fewer_than_two_thousand_values_have_one_highest_value() -> None:
    values = torch.arange(1999.0).view(1, -1)
    assert mean_of_highest(values) == 1998


@pytest.mark.parametrize("place", [0, 400_000, 999_999])
def test_a_value_that_is_no_number_makes_the_score_no_number(place: int) -> None:
    values = torch.rand(1000, 1000)
    values.view(-1)[place] = torch.nan
    assert mean_of_highest(values).isnan()


def test_a_part_of_a_larger_map_is_scored_alone() -> None:
    whole = torch.rand(300, 400)
    assert mean_of_highest(whole[10:210, 20:320]) == mean_of_highest(whole[10:210, 20:320].clone())


@pytest.mark.gpu
def test_a_gpu_finds_the_same_mean() -> None:
    values = torch.rand(3000, 2000)
    torch.testing.assert_close(mean_of_highest(values.cuda()).cpu(), mean_of_highest(values), rtol=1e-6, atol=0)


def test_parts_in_any_order_give_the_score_of_the_whole() -> None:
    whole = torch.rand(3000, 70, generator=torch.Generator().manual_seed(3))
    found, largest = MeanOfHighest(whole.numel()), Largest()
    for part in torch.split(whole, 301)[::-1]:
        found.add(part)
        largest.add(part)
    assert (found.value(), largest.value()) == (mean_of_highest(whole), whole.amax())

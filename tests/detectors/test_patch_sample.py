"""The sample of patches on which the members of a fusion are compared."""

import pytest
import torch
from torch import Tensor

from app.detectors.patch_sample import PatchSample

CPU = torch.device("cpu")


def picture(number: int, rows: int, columns: int = 10) -> Tensor:
    """[2,rows,columns]: the picture's number, and the number of the cell."""
    cells = torch.arange(rows * columns).view(rows, columns).float()
    return torch.stack([torch.full_like(cells, number), cells])


def add(sample: PatchSample, whole: Tensor, rows_at_once: int) -> None:
    for top in range(0, whole.shape[1], rows_at_once):
        sample.add(whole[:, top : top + rows_at_once], top)


def test_few_patches_are_all_kept() -> None:
    sample = PatchSample(2, 3 * 70, CPU)
    for number in range(3):
        add(sample, picture(number, 7), 3)
    for number in range(3):
        kept = sample.of(range(number, number + 1))
        assert (kept[:, 0] == number).all()
        assert kept[:, 1].sort().values.tolist() == list(range(70))
    assert len(sample.of(range(1, 3))) == 140


@pytest.mark.parametrize("rows_at_once", [1, 4, 100])
def test_many_patches_are_drawn_from_all_pictures_and_from_their_whole_area(
    monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr("app.detectors.patch_sample.PATCHES", 400)
    sample = PatchSample(2, 4 * 1000, CPU)
    for number in range(4):
        add(sample, picture(number, 100), rows_at_once)
    for number in range(4):
        kept = sample.of(range(number, number + 1))
        assert len(kept) == 100
        assert len(set(kept[:, 1].tolist())) == 100
        assert 350 < kept[:, 1].mean() < 650


def test_a_cleared_sample_is_empty() -> None:
    sample = PatchSample(2, 100, CPU)
    add(sample, picture(0, 10), 10)
    sample.clear()
    assert len(sample.of(range(1))) == 0

"""Moments of parts against numpy's moments of the whole."""

import numpy as np
import pytest
import torch

from app.detectors.moments import Moments

DEVICE = torch.device("cpu")


@pytest.mark.parametrize("parts", [[50], [1, 49], [3, 20, 27], [1] * 50])
def test_moments_do_not_depend_on_how_patches_are_divided(parts: list[int]) -> None:
    patches = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 8) + 30
    moments = Moments(7, DEVICE)
    for part in torch.split(patches, parts):
        moments.add(part)
    values = patches.double().numpy()
    assert moments.count == 50
    torch.testing.assert_close(moments.mean, torch.from_numpy(values.mean(0)), rtol=1e-6, atol=0)
    torch.testing.assert_close(moments.covariance(), torch.from_numpy(np.cov(values.T)), rtol=1e-5, atol=1e-4)


def test_patches_of_half_precision_are_summed_in_higher_precision() -> None:
    moments, patches = Moments(3, DEVICE), torch.full((5000, 3), 33.0)
    moments.add(patches.half())
    torch.testing.assert_close(moments.mean, torch.full((3,), 33.0, dtype=torch.float64))

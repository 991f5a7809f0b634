"""Subspace against the singular value decomposition of all patches at once."""

import numpy as np
import pytest
import torch
from torch import Tensor

from app.detectors import Subspace
from app.errors import InvalidDataset, InvalidParameter

CHANNELS = 64


def subspace(explained_variance: float = 0.99) -> Subspace:
    return Subspace("resnet18", ("layer1",), explained_variance=explained_variance)


def pictures(count: int = 4, directions: int = 5, noise: float = 0.01, seed: int = 0) -> Tensor:
    """[count,C,6,8]: patches that vary along a few directions around a mean that is far from zero."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(count, directions, 6, 8, generator=generator)
    spread = torch.randn(CHANNELS, directions, generator=generator) * torch.arange(directions, 0, -1)
    normal = torch.einsum("cd,ndhw->nchw", spread, weights)
    return normal + 20 + noise * torch.randn(normal.shape, generator=generator)


def fit(detector: Subspace, normal: Tensor, rows_at_once: int = 2) -> None:
    fitter = detector.fitter(len(normal), (normal.shape[2], normal.shape[3]))
    for picture in normal:
        for top in range(0, picture.shape[1], rows_at_once):
            fitter.add((picture[:, top : top + rows_at_once],), top)
    fitter.finish(lambda *_: None)


def distances(detector: Subspace, embeddings: Tensor) -> Tensor:
    return detector.measure((embeddings,), [(0, 0)] * len(embeddings)).distances[0]


@pytest.mark.parametrize("explained_variance", [0.5, 0.9, 0.99, 0.9999])
def test_distances_are_the_residuals_of_a_singular_value_decomposition(explained_variance: float) -> None:
    detector, normal, other = subspace(explained_variance), pictures(), pictures(seed=1, noise=0.5)
    fit(detector, normal)

    patches = normal.movedim(1, -1).flatten(0, 2).double().numpy()
    mean = patches.mean(0)
    _, lengths, axes = np.linalg.svd(patches - mean)
    held = np.cumsum(lengths**2) / np.sum(lengths**2)
    components = axes[: int(np.searchsorted(held, explained_variance)) + 1]
    offset = other.movedim(1, -1).double().numpy() - mean
    residual = offset - offset @ components.T @ components
    expected = torch.from_numpy(np.linalg.norm(residual, axis=-1)).float()
    torch.testing.assert_close(distances(detector, other), expected, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("rows_at_once", [1, 2, 6])
def test_bands_of_any_height_give_one_distribution(rows_at_once: int) -> None:
    detector, normal = subspace(), pictures()
    fit(detector, normal, rows_at_once)
    patches = normal.movedim(1, -1).flatten(0, 2)
    torch.testing.assert_close(detector.mean, patches.mean(0))
    covariance = detector.axes @ torch.diag(detector.variances) @ detector.axes.T
    torch.testing.assert_close(covariance, torch.cov(patches.T), rtol=1e-4, atol=1e-3)


def test_a_step_off_the_subspace_is_measured_whole_and_one_within_it_not_at_all() -> None:
    detector = subspace(0.9)
    fit(detector, pictures())
    within, off = detector.axes[:, 0], detector.axes[:, -1]
    patches = torch.stack([detector.mean, detector.mean + 7 * within, detector.mean + 3 * off])
    found = distances(detector, patches.view(3, CHANNELS, 1, 1)).flatten()
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, 3.0]), rtol=1e-4, atol=1e-3)


def test_a_larger_share_of_the_variance_takes_more_components() -> None:
    counts = []
    for explained_variance in (0.5, 0.9, 0.999):
        detector = subspace(explained_variance)
        fit(detector, pictures())
        counts.append(CHANNELS - detector.residual_axes.shape[1])
    assert counts == sorted(set(counts))


def test_fewer_patches_than_channels_are_enough() -> None:
    detector, normal = subspace(), pictures(1)[:, :, :2, :4]
    fit(detector, normal)
    assert distances(detector, normal).amax() < 0.25 * distances(detector, pictures(seed=1, noise=5)).amin()


def test_patches_that_do_not_vary_leave_one_component() -> None:
    detector = subspace()
    fit(detector, torch.full((2, CHANNELS, 2, 2), 5.0))
    assert detector.residual_axes.shape == (CHANNELS, CHANNELS - 1)
    assert distances(detector, torch.full((1, CHANNELS, 2, 2), 5.0)).amax() < 1e-4


def test_one_patch_is_refused() -> None:
    with pytest.raises(InvalidDataset, match="1"):
        fit(subspace(), torch.zeros(1, CHANNELS, 1, 1))


@pytest.mark.parametrize("explained_variance", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_a_share_outside_0_to_1_is_refused(explained_variance: float) -> None:
    with pytest.raises(InvalidParameter, match="explained_variance"):
        subspace(explained_variance)

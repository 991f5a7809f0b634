"""Whitened memory banks against numpy's Mahalanobis distances."""

import numpy as np
import pytest
import torch
from torch import Tensor

from app.detectors import Patchcore
from app.detectors.bank_whitening import SHRINKAGE, Whitening, WhiteningFit
from app.detectors.moments import Moments
from app.pipeline import Preprocessing, Roi, TiledModel, predict
from app.tiling import Tiling
from app.training.one_pass import fit as fit_to_pictures

CHANNELS = 64


def patchcore(**options: object) -> Patchcore:
    return Patchcore("resnet18", ("layer1",), pre_trained=False, **options)  # type: ignore[arg-type]  # of several types


def pictures(count: int = 3, seed: int = 0) -> Tensor:
    """[count,C,16,24]: correlated patches with variances of different sizes and a mean far from 0."""
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(CHANNELS, CHANNELS, generator=torch.Generator().manual_seed(9))
    spread: Tensor = torch.linalg.qr(square).Q * torch.logspace(-2, 1, CHANNELS)
    patches = torch.randn(count, 16, 24, CHANNELS, generator=generator) @ spread.T + 20
    return patches.movedim(-1, 1).contiguous()


def flat(embeddings: Tensor) -> Tensor:
    return embeddings.movedim(1, -1).flatten(0, 2)


def fit(detector: Patchcore, normal: Tensor, rows_at_once: int = 8) -> Patchcore:
    torch.manual_seed(0)
    fitter = detector.fitter(len(normal), (normal.shape[2], normal.shape[3]))
    for picture in normal:
        for top in range(0, picture.shape[1], rows_at_once):
            fitter.add((picture[:, top : top + rows_at_once],), top)
    fitter.finish(lambda *_: None)
    return detector


def distances(detector: Patchcore, embeddings: Tensor) -> Tensor:
    return detector.measure((embeddings,), [(0, 0)] * len(embeddings)).distances[0].flatten()


def mahalanobis(normal: Tensor, queries: Tensor, rows: Tensor) -> Tensor:
    """Distances [q,r] for the covariance of the normal patches, shrunk and divided by its mean variance."""
    covariance = np.cov(flat(normal).double().numpy().T)
    mean = np.trace(covariance) / CHANNELS
    shrunk = (1 - SHRINKAGE) * covariance / mean + SHRINKAGE * np.eye(CHANNELS)
    root = torch.from_numpy(np.linalg.cholesky(np.linalg.inv(shrunk)))
    return torch.cdist(queries.double() @ root, rows.double() @ root).float()


def test_whitened_distances_are_mahalanobis_distances() -> None:
    normal, other = pictures(), pictures(1, seed=1)
    detector = fit(patchcore(whitening=True, coreset_sampling_ratio=1.0), normal)
    expected = mahalanobis(normal, flat(other), flat(normal)).amin(1)
    torch.testing.assert_close(distances(detector, other), expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize("rows", [40, 2000])
def test_every_search_compares_whitened_patches(rows: int) -> None:
    """Smaller banks are searched in blocks, larger banks by codes."""
    detector, other = fit(patchcore(whitening=True), pictures()), pictures(1, seed=1)
    assert detector.whitening is not None
    detector.memory_bank = detector.whitening(flat(pictures(6, seed=2))[:rows])
    expected = torch.cdist(detector.whitening(flat(other)), detector.memory_bank).amin(1)
    torch.testing.assert_close(distances(detector, other), expected, rtol=1e-4, atol=0)


def test_patches_that_vary_equally_in_all_directions_are_measured_as_without_whitening() -> None:
    moments = Moments(CHANNELS, torch.device("cpu"))
    moments.add(flat(pictures()))
    variances, axes = torch.linalg.eigh(moments.covariance())
    round_ = (flat(pictures()).double() - moments.mean) @ (axes / variances.sqrt()) * 3 + 5
    normal = round_.float().view(3, 16, 24, CHANNELS).movedim(-1, 1)
    other = torch.randn(1, CHANNELS, 16, 24) * 3 + 5
    plain, whitened = (fit(patchcore(whitening=each), normal) for each in (False, True))
    torch.testing.assert_close(distances(whitened, other), distances(plain, other), rtol=1e-3, atol=0)


@pytest.mark.parametrize("store", [1024, 1])
def test_a_patch_that_is_odd_in_a_calm_direction_survives(store: int) -> None:
    """It is near a normal patch, and far from it once whitened.

    The smaller store holds 102 of the 768 patches of each picture, so that each picture contributes a selection.
    """
    normal = torch.randn(40, CHANNELS, 32, 24) * 0.001
    normal[:, :2] *= 10_000
    normal[14, 7, 5, 6] += 1
    nearest = []
    for whitening in (False, True):
        detector = fit(patchcore(whitening=whitening, coreset_sampling_ratio=0.005, max_store_mib=store), normal, 32)
        nearest.append(float(distances(detector, normal[14:15, :, 5:6, 6:7])))
    assert nearest[0] > 0.5
    assert nearest[1] < 1e-3


def test_the_bank_does_not_depend_on_the_height_of_bands() -> None:
    first, second = (fit(patchcore(whitening=True), pictures(), rows) for rows in (2, 16))
    torch.testing.assert_close(distances(first, pictures(1, 1)), distances(second, pictures(1, 1)), rtol=1e-3, atol=0)


def test_a_bank_of_half_precision_keeps_whitened_distances() -> None:
    single, half = (fit(patchcore(whitening=True, precision=each), pictures()) for each in ("float32", "float16"))
    assert half.memory_bank.dtype == torch.float16
    other = pictures(1, seed=1)
    torch.testing.assert_close(distances(half, other), distances(single, other), rtol=1e-2, atol=0)


def test_patches_that_do_not_vary_keep_their_distances() -> None:
    detector = fit(patchcore(whitening=True, coreset_sampling_ratio=0.01), torch.full((2, CHANNELS, 16, 24), 5.0))
    torch.testing.assert_close(distances(detector, torch.full((1, CHANNELS, 1, 1), 6.0)), torch.tensor([8.0]))


def test_whitened_patches_have_the_mean_0_and_can_be_restored() -> None:
    moments, patches = Moments(CHANNELS, torch.device("cpu")), flat(pictures())
    moments.add(patches)
    whitening = Whitening(CHANNELS)
    whitening.fit(moments)
    whitened = whitening(patches)
    torch.testing.assert_close(whitened.mean(0), torch.zeros(CHANNELS), rtol=0, atol=1e-3)
    torch.testing.assert_close(whitening.inverse(whitened), patches, rtol=1e-3, atol=1e-3)
    assert whitened.var(0).amax() < 1.2 * patches.var(0).mean()


def test_a_fit_continues_from_its_state() -> None:
    first, second, whole = (WhiteningFit(Whitening(CHANNELS)) for _ in range(3))
    patches = flat(pictures())
    found, expected = patches.clone(), patches.clone()
    for each in (first, whole):
        each.add(patches[:700])
    second.load_state(first.state())
    for each in (second, whole):
        each.add(patches[700:])
    second.finish(found)
    whole.finish(expected)
    assert torch.equal(found, expected)


def test_a_fit_that_continues_does_not_whiten_patches_again() -> None:
    whitenings, patches = [Whitening(CHANNELS), Whitening(CHANNELS)], flat(pictures())
    first, second = (WhiteningFit(whitening) for whitening in whitenings)
    first.add(patches)
    first.finish(patches)
    whitened = patches.clone()
    second.load_state(first.state())
    second.finish(patches)
    assert torch.equal(patches, whitened)
    assert torch.equal(whitenings[0].matrix, whitenings[1].matrix)


def test_typical_features_are_about_as_far_from_a_whitened_bank_as_normal_patches() -> None:
    detector = fit(patchcore(whitening=True), pictures())
    (typical,) = detector.typical_features((torch.empty(1, CHANNELS, 16, 24),))
    found, normal = distances(detector, typical).median(), distances(detector, pictures(1, seed=1)).median()
    assert 0.1 * normal < found < 2 * normal


def test_the_score_weighs_the_whitened_distance_of_the_farthest_patch() -> None:
    detector, other = fit(patchcore(whitening=True, num_neighbors=1), pictures()), pictures(1, seed=1)
    measurement = detector.measure((other,), [(0, 0)])
    assert detector.image_score(torch.zeros(1), [measurement.score_input]) == distances(detector, other).max()
    detector.num_neighbors = 3
    weighted = detector.image_score(torch.zeros(1), [measurement.score_input])
    assert 0 < weighted < distances(detector, other).max()


def test_only_a_whitened_bank_has_a_whitening_in_its_state() -> None:
    plain, whitened = (fit(patchcore(whitening=each), pictures()) for each in (False, True))
    assert set(whitened.state_dict()) - set(plain.state_dict()) == {"whitening.matrix", "whitening.offset"}
    restored = Patchcore(**whitened.parameters_of_model)  # type: ignore[arg-type]  # as recorded
    restored.load_fitted_state(whitened.state_dict())
    assert torch.equal(distances(restored, pictures(1, seed=1)), distances(whitened, pictures(1, seed=1)))


def test_memory_counts_the_moments_and_a_band() -> None:
    plain, whitened = (patchcore(whitening=each).fitting_memory(10, (64, 64)) for each in (False, True))
    assert whitened - plain >= 8 * CHANNELS**2 + 4 * CHANNELS * 64 * 64


def test_regions_and_bands_of_a_picture_are_whitened_alike() -> None:
    torch.manual_seed(0)
    model = TiledModel(patchcore(whitening=True, coreset_sampling_ratio=0.05), Preprocessing(), Tiling(tile_size=32))
    images = [torch.randint(100, 140, (3, 96, 128), dtype=torch.uint8) for _ in range(3)]
    fit_to_pictures(model, images, 3, (24, 32), batch_tiles=4)
    images[0][:, 40:50, 60:70] = 255
    whole, roi = predict(model, images[0], 4), Roi(30, 50, 40, 50)
    found = predict(model, images[0], 2, roi)
    largest = float(whole.anomaly_map.max())
    torch.testing.assert_close(found.anomaly_map, whole.anomaly_map[30:70, 50:100], rtol=0, atol=1e-5 * largest)
    assert found.raw_score == pytest.approx(whole.raw_score)

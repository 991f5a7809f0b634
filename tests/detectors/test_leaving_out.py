"""`Fitter.without` against detectors that are fitted to the other pictures."""

from collections.abc import Callable
from itertools import chain

import pytest
import torch
from torch import Tensor

from app.detectors import Fitter, OnePassDetector, Padim, Patchcore, Subspace
from app.detectors.leave_one_out import distances_to_others
from app.detectors.one_pass import contiguous_folds
from app.detectors.padim import REGULARISATION
from app.errors import InvalidDataset, InvalidParameter

CHANNELS = 64


def padim() -> Padim:
    return Padim(n_features=CHANNELS, pre_trained=False)


def patchcore(ratio: float = 1.0) -> Patchcore:
    return Patchcore("resnet18", ("layer1",), coreset_sampling_ratio=ratio, pre_trained=False)


def subspace() -> Subspace:
    return Subspace("resnet18", ("layer1",), explained_variance=0.9, pre_trained=False)


KINDS: list[Callable[[], OnePassDetector]] = [padim, patchcore, subspace]


def embeddings(count: int, seed: int = 0) -> Tensor:
    """[count,C,4,3]: pictures around a mean that is far from zero, with channels of different variance."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.linspace(0.1, 3, CHANNELS)[:, None, None]
    return torch.randn(count, CHANNELS, 4, 3, generator=generator) * scale + 20


def fitted(detector: OnePassDetector, pictures: Tensor, expected: int | None = None) -> Fitter:
    fitter = detector.fitter(expected or len(pictures), (pictures.shape[2], pictures.shape[3]))
    for picture in pictures:
        for top in (0, 2):
            fitter.add((picture[:, top : top + 2],), top)
    fitter.finish(lambda *_: None)
    return fitter


def distances(detector: object, pictures: Tensor) -> Tensor:
    assert isinstance(detector, OnePassDetector)
    return detector.measure((pictures,), [(0, 0)] * len(pictures)).distances[0]


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 37])
def test_folds_hold_every_picture_once_and_neighbours_together(count: int) -> None:
    folds = contiguous_folds(count)
    assert list(chain.from_iterable(folds)) == list(range(count))
    assert len(folds) == min(count, 10)
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


@pytest.mark.parametrize("kind", [patchcore, subspace])
def test_a_fold_is_measured_as_by_a_detector_fitted_to_the_others(kind: Callable[[], OnePassDetector]) -> None:
    pictures = embeddings(23)
    fitter = fitted(kind(), pictures)
    folds = fitter.folds(23)
    assert list(chain.from_iterable(folds)) == list(range(23))
    for fold in (folds[0], folds[4], folds[-1]):
        refitted = kind()
        fitted(refitted, torch.cat([pictures[: fold.start], pictures[fold.stop :]]))
        own = pictures[fold.start : fold.stop]
        torch.testing.assert_close(distances(fitter.without(fold), own), distances(refitted, own), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [5, 20, 40, 100])
def test_padim_leaves_out_a_picture_by_a_closed_form(count: int) -> None:
    """Fewer and more pictures than channels. The distance is never too small, nor larger than by the stated factor."""
    pictures = embeddings(count)
    fitter = fitted(padim(), pictures)
    assert list(fitter.folds(count)) == [range(number, number + 1) for number in range(count)]
    for number in (0, count // 2, count - 1):
        refitted = padim()
        fitted(refitted, torch.cat([pictures[:number], pictures[number + 1 :]]))
        own = pictures[number : number + 1]
        ratio = distances(fitter.without(range(number, number + 1)), own) / distances(refitted, own)
        assert ratio.amin() > 1 - 1e-3
        assert ratio.amax() < ((count - 1) / (count - 2)) ** 0.5 + 1e-3


def test_the_closed_form_is_exact_where_the_others_do_not_vary() -> None:
    values = torch.tensor([3.0, 3.0, 3.0, 3.0, 8.0])
    variance = float(values.var()) + REGULARISATION
    within = (values[-1] - values.mean()).abs() / variance**0.5
    found = distances_to_others(within, torch.tensor(5.0, dtype=torch.float64))
    assert float(found) == pytest.approx(5 / REGULARISATION**0.5, rel=1e-4)


def test_the_distance_to_one_other_picture_needs_no_covariance() -> None:
    pictures = embeddings(2)
    found = distances(fitted(padim(), pictures).without(range(1)), pictures[:1])
    expected = torch.linalg.vector_norm(pictures[:1] - pictures[1:], dim=1) / REGULARISATION**0.5
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_pictures_out_does_not_change_the_fitted_detector(kind: Callable[[], OnePassDetector]) -> None:
    detector, pictures = kind(), embeddings(12)
    fitter = fitted(detector, pictures)
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    known = distances(detector, pictures)
    without = fitter.without(fitter.folds(12)[0])
    assert torch.equal(distances(detector, pictures), known)
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert without.get_submodule("backbone") is detector.backbone


@pytest.mark.parametrize("kind", KINDS)
def test_an_odd_picture_is_farther_from_the_others_than_from_itself(kind: Callable[[], OnePassDetector]) -> None:
    pictures = embeddings(30)
    pictures[7] += 2 * torch.randn(CHANNELS, 1, 1, generator=torch.Generator().manual_seed(5))
    detector = kind()
    fitter = fitted(detector, pictures)
    fold = next(fold for fold in fitter.folds(30) if 7 in fold)
    assert (distances(fitter.without(fold), pictures[7:8]) > distances(detector, pictures[7:8])).all()


@pytest.mark.parametrize("kind", KINDS)
def test_folds_hold_only_pictures_that_were_added(kind: Callable[[], OnePassDetector]) -> None:
    """As if 7 of 30 expected pictures could not be read."""
    pictures = embeddings(23)
    fitter = fitted(kind(), pictures, expected=30)
    folds = fitter.folds(23)
    assert list(chain.from_iterable(folds)) == list(range(23))
    assert all(len(fold) for fold in folds)
    for fold in folds:
        assert distances(fitter.without(fold), pictures[fold.start : fold.stop]).isfinite().all()


def test_a_coreset_lacks_the_rows_of_the_fold() -> None:
    pictures = embeddings(20)
    detector = patchcore(0.2)
    fitter = fitted(detector, pictures)
    fold = fitter.folds(20)[3]
    without = fitter.without(fold)
    assert isinstance(without, Patchcore)
    own = pictures[fold.start : fold.stop].movedim(1, -1).flatten(0, 2)
    others = torch.cat([pictures[: fold.start], pictures[fold.stop :]]).movedim(1, -1).flatten(0, 2)
    in_own, in_others = ((detector.memory_bank[:, None] == rows).all(2).any(1) for rows in (own, others))
    assert (in_own ^ in_others).all()
    assert torch.equal(without.memory_bank, detector.memory_bank[in_others])


def test_a_memory_bank_of_one_fold_is_refused_with_what_would_work() -> None:
    detector = patchcore(0.03)  # one row of 36 patches
    fitter = fitted(detector, embeddings(3))
    with pytest.raises(InvalidParameter, match=r"coreset_sampling_ratio than 0\.03.*HoldOut"):
        for fold in fitter.folds(3):
            fitter.without(fold)


def test_a_subspace_of_too_few_other_patches_is_refused() -> None:
    fitter = fitted(subspace(), embeddings(2)[:, :, :1, :1])
    with pytest.raises(InvalidDataset, match="at least 2 patches"):
        fitter.without(range(1))

"""A fitted detector that learns further pictures, against a fit to all pictures where the mathematics says so."""

import pytest
import torch
from torch import Tensor

from app.detectors import DETECTORS, Detector, Fitter, Fusion, OnePassDetector, Patchcore, Update
from app.detectors.bank_update import spacing
from app.errors import NotTeachable
from app.progress import silent
from tests.building import build_detector

GRID = 6, 9
SUMS = ("padim", "subspace")


def detector_of(name: str, **parameters: object) -> OnePassDetector:
    torch.manual_seed(0)
    detector = build_detector(name)
    if parameters:
        detector = type(detector)(**detector.parameters_of_model | parameters)
    assert isinstance(detector, OnePassDetector)
    return detector


def pictures(detector: Detector, count: int, seed: int = 0) -> Tensor:
    """[count,C,6,9], like features that vary along a few directions."""
    generator = torch.Generator().manual_seed(seed)
    (channels,) = detector.feature_channels
    directions = torch.randn(channels, 5, generator=torch.Generator().manual_seed(99))
    weights = torch.randn(count, 5, *GRID, generator=generator)
    return torch.einsum("cd,ndhw->nchw", directions, weights) + 0.3 * torch.randn(
        count, channels, *GRID, generator=generator
    )


def add(fitter: Fitter, normal: Tensor) -> None:
    for picture in normal:
        for top in range(0, GRID[0], 2):
            fitter.add((picture[:, top : top + 2],), top)


def fitted(name: str, normal: Tensor | int, **parameters: object) -> OnePassDetector:
    detector = detector_of(name, **parameters)
    normal = pictures(detector, normal) if isinstance(normal, int) else normal
    fitter = detector.fitter(len(normal), GRID)
    add(fitter, normal)
    fitter.finish(silent)
    return detector


def taught(detector: OnePassDetector, normal: Tensor) -> Update:
    update = detector.update(len(normal))
    add(update, normal)
    update.finish(silent)
    return update


def distances(detector: Detector, normal: Tensor) -> Tensor:
    return torch.cat([detector.measure((each[None],), [(0, 0)]).distances[0] for each in normal])


@pytest.mark.parametrize("name", SUMS)
def test_an_update_equals_a_fit_to_all_pictures(name: str) -> None:
    normal = pictures(detector_of(name), 24)
    first = fitted(name, normal[:6])
    before = {key: value.clone() for key, value in first.state_dict().items()}
    update = taught(first, normal[6:])
    whole = fitted(name, normal)
    other = pictures(whole, 2, seed=1)
    torch.testing.assert_close(distances(update.detector, other), distances(whole, other), rtol=2e-3, atol=2e-3)
    assert int(update.detector.count) == int(whole.count)  # type: ignore[arg-type]  # a tensor of both
    assert all(torch.equal(value, before[key]) for key, value in first.state_dict().items())


@pytest.mark.parametrize("name", SUMS)
def test_cells_that_do_not_count_change_nothing(name: str) -> None:
    first = fitted(name, 6)
    lessons = pictures(first, 5, seed=2)
    counted = torch.ones(GRID, dtype=torch.bool)
    counted[1:4, 2:5] = False
    spoiled = torch.where(counted, lessons, 1e3)
    found = []
    for each in (lessons, spoiled):
        update = first.update(5)
        for picture in each:
            update.add((picture,), 0, 0, counted)
        update.finish(silent)
        found.append(distances(update.detector, pictures(first, 2, seed=1)))
    torch.testing.assert_close(found[0], found[1])


def test_a_subspace_without_a_fold_is_that_of_the_training_and_the_others() -> None:
    normal = pictures(detector_of("subspace"), 26)
    update = taught(fitted("subspace", normal[:6]), normal[6:])
    (fold, *_) = update.folds(20)
    assert fold == range(2)
    whole = fitted("subspace", torch.cat([normal[:6], normal[8:]]))
    torch.testing.assert_close(
        distances(update.without(fold), normal[6:8]), distances(whole, normal[6:8]), rtol=1e-3, atol=1e-3
    )


def test_padim_without_a_picture_is_never_too_near() -> None:
    normal = pictures(detector_of("padim"), 20)
    update = taught(fitted("padim", normal[:8]), normal[8:])
    found = distances(update.without(range(3, 4)), normal[11:12])
    true = distances(fitted("padim", torch.cat([normal[:11], normal[12:]])), normal[11:12])
    assert (found >= true * 0.999).all() and (found <= true * (18 / 17) ** 0.5 * 1.01).all()


def test_a_bank_keeps_its_rows_and_adds_those_that_are_far() -> None:
    first = fitted("patchcore", 6, coreset_sampling_ratio=0.3)
    assert isinstance(first, Patchcore)
    old = first.memory_bank.clone()
    lessons = pictures(first, 4, seed=3)
    lessons[1, :, 2, 3] += 40
    update = taught(first, lessons)
    bank = update.detector.normal_patches
    assert bank is not None and torch.equal(bank[: len(old)], old)
    assert torch.equal(first.memory_bank, old)
    added, sources = bank[len(old) :], update.sources()
    assert 0 < len(added) <= int(4 * GRID[0] * GRID[1] * 0.3)
    assert sources is not None and len(sources.pictures) == len(added)
    assert sources.pictures[0] == 1 and sources.cells[0].tolist() == [2, 3]  # the farthest is the first
    for row, owner, cell in zip(added, sources.pictures.tolist(), sources.cells.tolist(), strict=True):
        assert torch.equal(row, lessons[owner, :, cell[0], cell[1]])
    assert float(distances(first, lessons)[1, 2, 3]) > 30
    assert float(distances(update.detector, lessons)[1, 2, 3]) < 1e-3


def test_new_rows_keep_the_spacing_of_the_bank() -> None:
    first = fitted("patchcore", 6, coreset_sampling_ratio=0.3)
    assert isinstance(first, Patchcore)
    least = spacing(first.memory_bank)
    bank = taught(first, pictures(first, 3, seed=4)).detector.normal_patches
    assert bank is not None
    apart = torch.cdist(bank, bank) + torch.eye(len(bank)) * 1e6
    assert float(apart.amin()) > least * 0.999


def test_many_lessons_at_most_double_a_bank() -> None:
    first = fitted("patchcore", 2, coreset_sampling_ratio=0.3)
    assert isinstance(first, Patchcore)
    update = taught(first, 3 * pictures(first, 20, seed=1))  # all of them far
    found = update.detector
    assert isinstance(found, Patchcore) and len(found.memory_bank) == 2 * len(first.memory_bank)


def test_pictures_of_the_training_add_nothing_to_a_bank() -> None:
    first = fitted("patchcore", 6, coreset_sampling_ratio=0.3)
    assert isinstance(first, Patchcore)
    update = taught(first, pictures(first, 6))
    bank = update.detector.normal_patches
    assert bank is not None and torch.equal(bank, first.memory_bank)


@pytest.mark.parametrize("name", ["patchcore", "fusion"])
def test_without_a_fold_its_lessons_are_not_known(name: str) -> None:
    first = fitted(name, 6)
    lessons = pictures(first, 3, seed=3)
    lessons[1, :, 2, 3] += 40
    update = taught(first, lessons)
    before, after, left_out = (
        float(distances(each, lessons)[1, 2, 3]) for each in (first, update.detector, update.without(range(1, 2)))
    )
    assert after < left_out and left_out == pytest.approx(before, rel=0.2)


@pytest.mark.parametrize("name", SUMS)
def test_a_state_without_its_number_of_patches_says_what_would_work(name: str) -> None:
    first = fitted(name, 6)
    state = {key: value for key, value in first.state_dict().items() if key != "count"}
    restored = DETECTORS[name](**first.parameters_of_model)
    restored.load_fitted_state(state)
    other = pictures(first, 1, seed=1)
    torch.testing.assert_close(distances(restored, other), distances(first, other))
    assert isinstance(restored, OnePassDetector)
    with pytest.raises(NotTeachable, match=r"does not know to how many .* train it again"):
        restored.update(3)


def test_padim_without_a_picture_keeps_the_places_where_it_does_not_count() -> None:
    normal = pictures(detector_of("padim"), 12)
    first = fitted("padim", normal[:8])
    counted = torch.zeros(GRID, dtype=torch.bool)
    counted[2:4, 3:6] = True
    update = first.update(4)
    for picture in normal[8:]:
        update.add((picture,), 0, 0, counted)
    update.finish(silent)
    found = distances(update.without(range(1, 2)), normal[9:10])[0]
    served = distances(update.detector, normal[9:10])[0]
    torch.testing.assert_close(found[~counted], served[~counted])
    assert (found[counted] > served[counted]).all()


def test_a_whole_bank_takes_all_new_patches() -> None:
    first = fitted("patchcore", 3, coreset_sampling_ratio=1.0)
    assert isinstance(first, Patchcore)
    new = pictures(first, 2, seed=5)
    bank = taught(first, new).detector.normal_patches
    assert bank is not None and len(bank) == 5 * GRID[0] * GRID[1]
    torch.testing.assert_close(distances(taught(first, new).detector, new), torch.zeros(2, *GRID), atol=2e-3, rtol=0)


def test_a_store_without_room_takes_the_farthest_patches() -> None:
    first = fitted("patchcore", 6, coreset_sampling_ratio=0.3)
    assert isinstance(first, Patchcore)
    first.max_store_mib = 0  # room for one patch of a picture
    lessons = pictures(first, 2, seed=3)
    lessons[1, :, 2, 3] += 40
    update = taught(first, lessons)
    sources = update.sources()
    assert sources is not None and len(sources.pictures) <= 2
    assert float(distances(update.detector, lessons)[1, 2, 3]) < 1e-3


def test_a_fusion_keeps_its_scales() -> None:
    first = fitted("fusion", 6)
    update = taught(first, pictures(first, 3, seed=3))
    assert isinstance(first, Fusion) and isinstance(update.detector, Fusion)
    assert torch.equal(update.detector.scales, first.scales)
    assert update.sources() is None


@pytest.mark.parametrize("options", [{"whitening": True}, {"precision": "float16"}])
def test_banks_of_all_kinds_learn(options: dict[str, object]) -> None:
    first = fitted("patchcore", 6, coreset_sampling_ratio=0.3, **options)
    assert isinstance(first, Patchcore)
    old = first.memory_bank.clone()
    lessons = pictures(first, 3, seed=3)
    lessons[1, :, 2, 3] += 40
    update = taught(first, lessons)
    bank = update.detector.normal_patches
    assert bank is not None and torch.equal(bank[: len(old)], old) and bank.dtype == old.dtype
    assert float(distances(first, lessons)[1, 2, 3]) > 10
    assert float(distances(update.detector, lessons)[1, 2, 3]) < 1  # of a patch of length 700; float16 rounds

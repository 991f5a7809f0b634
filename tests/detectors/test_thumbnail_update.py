"""Fitted detectors with thumbnails that learn further pictures, against fits to all pictures."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from app.detectors import Detector, Fusion, Patchcore, Subspace, ThumbnailUpdate, WithThumbnail
from app.detectors.patch_embedding import PatchDetector
from app.detectors.thumbnail_fitter import LAYOUT, TILES, ThumbnailFitter
from app.errors import NotTeachable
from app.progress import silent
from app.tensor_files import read_tensors, write_tensors

GRID, SMALL = (6, 9), (4, 6)
KINDS = ("subspace", "patchcore", "whitened", "fusion")


def tiles_of(kind: str) -> PatchDetector:
    torch.manual_seed(0)
    if kind == "subspace":
        return Subspace("resnet18", ("layer1",), pre_trained=False)
    if kind == "fusion":
        return Fusion("resnet18", ("layer1",), pre_trained=False)
    return Patchcore("resnet18", ("layer1",), pre_trained=False, whitening=kind == "whitened")


def pictures(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features of pictures [count,64,6,9] that vary along a few directions, and of their thumbnails [count,64,4,6]."""
    directions = torch.randn(64, 5, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    large, small = (torch.randn(count, 5, *grid, generator=generator) for grid in (GRID, SMALL))
    places = torch.randn(64, *SMALL, generator=torch.Generator().manual_seed(98))
    tiles = torch.einsum("cd,ndhw->nchw", directions, large) + 0.3 * torch.randn(count, 64, *GRID, generator=generator)
    thumbnails = torch.einsum("cd,ndhw->nchw", directions, small) + 5 * places
    return tiles, thumbnails + 0.3 * torch.randn(count, 64, *SMALL, generator=generator)


def add(taker: ThumbnailFitter | ThumbnailUpdate, normal: tuple[Tensor, Tensor]) -> None:
    for tiles, thumbnail in zip(*normal, strict=True):
        for top in range(0, GRID[0], 2):
            taker.add((tiles[:, top : top + 2],), top)
        taker.add_thumbnail((thumbnail[None],))


def fitted(kind: str, normal: tuple[Tensor, Tensor]) -> WithThumbnail:
    detector = WithThumbnail(tiles_of(kind), (4 * SMALL[0], 4 * SMALL[1]))
    fitter = detector.fitter(len(normal[0]), GRID)
    add(fitter, normal)
    fitter.finish(silent)
    return detector


def taught(detector: WithThumbnail, normal: tuple[Tensor, Tensor]) -> ThumbnailUpdate:
    update = detector.update(len(normal[0]))
    assert isinstance(update, ThumbnailUpdate)
    add(update, normal)
    update.finish(silent)
    return update


def part(normal: tuple[Tensor, Tensor], chosen: slice) -> tuple[Tensor, Tensor]:
    return normal[0][chosen], normal[1][chosen]


def distances(detector: Detector, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The distances of the cells of both, each on the scale of its part."""
    assert isinstance(detector, WithThumbnail)
    tiles = torch.cat([detector.tiles.measure((each[None],), [(0, 0)]).distances[0] for each in pair[0]])
    return tiles, detector.layout(pair[1])


@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_learn_and_the_scales_stay(kind: str) -> None:
    normal, other = pictures(20), pictures(2, seed=1)
    first = fitted(kind, part(normal, slice(6)))
    before = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    update = taught(first, part(normal, slice(6, None)))
    learned = update.detector
    assert isinstance(learned, WithThumbnail) and torch.equal(learned.scales, first.scales)
    assert all(torch.equal(tensor, before[name]) for name, tensor in first.state_dict().items())
    alone = first.tiles.update(14)
    for tiles in normal[0][6:]:
        for top in range(0, GRID[0], 2):
            alone.add((tiles[:, top : top + 2],), top)
    alone.finish(silent)
    for name, tensor in alone.detector.state_dict().items():
        assert torch.equal(learned.state_dict()[TILES + name], tensor), name
    whole = fitted(kind, normal)
    torch.testing.assert_close(distances(learned, other)[1], distances(whole, other)[1], rtol=1e-4, atol=1e-4)
    assert (update.sources() is None) is (kind in ("subspace", "fusion"))


def test_an_update_of_a_subspace_equals_a_fit_to_all_pictures_in_both_parts() -> None:
    normal, other = pictures(24), pictures(2, seed=1)
    update = taught(fitted("subspace", part(normal, slice(6))), part(normal, slice(6, None)))
    for found, expected in zip(
        distances(update.detector, other), distances(fitted("subspace", normal), other), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_fold_neither_part_knows_its_pictures(kind: str) -> None:
    first, lessons = fitted(kind, pictures(6)), pictures(3, seed=3)
    for each in lessons:
        each[1, :, 2, 3] += 40
    update = taught(first, lessons)
    assert update.folds(3) == [range(1), range(1, 2), range(2, 3)]
    found = [distances(each, lessons) for each in (first, update.detector, update.without(range(1, 2)))]
    for before, after, left_out in zip(*found, strict=True):
        at = 1, 2, 3
        assert after[at] < 0.8 * left_out[at]
        assert float(left_out[at]) == pytest.approx(float(before[at]), rel=0.3)


def test_a_loaded_detector_learns_as_the_fitted_one(tmp_path: Path) -> None:
    first, lessons, other = fitted("subspace", pictures(6)), pictures(4, seed=2), pictures(2, seed=1)
    write_tensors({name: each.contiguous() for name, each in first.state_dict().items()}, tmp_path / "weights")
    loaded = WithThumbnail(tiles_of("subspace"), (16, 24))
    loaded.load_fitted_state(read_tensors(tmp_path / "weights"))
    for found, expected in zip(
        distances(taught(loaded, lessons).detector, other),
        distances(taught(first, lessons).detector, other),
        strict=True,
    ):
        assert torch.equal(found, expected)


def test_a_state_of_an_earlier_version_predicts_the_same_and_says_what_would_work() -> None:
    first, other = fitted("subspace", pictures(6)), pictures(2, seed=1)
    numbers = f"{LAYOUT}counts", f"{LAYOUT}variance"
    loaded = WithThumbnail(tiles_of("subspace"), (16, 24))
    loaded.load_fitted_state({name: each for name, each in first.state_dict().items() if name not in numbers})
    pairs = zip(distances(loaded, other), distances(first, other), strict=True)
    assert all(torch.equal(found, expected) for found, expected in pairs)
    with pytest.raises(NotTeachable, match=r"layout of thumbnails does not know .* train it again"):
        loaded.update(3)


def test_numbers_of_another_layout_are_refused() -> None:
    first = fitted("subspace", pictures(6))
    counts = first.layout.counts
    with pytest.raises(RuntimeError, match=r"layout\.counts"):
        WithThumbnail(tiles_of("subspace"), (16, 24)).load_fitted_state(
            first.state_dict() | {f"{LAYOUT}counts": counts[:2]}
        )

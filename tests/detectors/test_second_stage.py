"""A second stage changes distances within its bounds, cell by cell, and is kept in the fitted state."""

from typing import Any

import pytest
import torch

from app.detectors import DETECTORS, PatchDetector, SecondStage
from app.detectors.second_stage import MOST_FACTOR
from app.pipeline import Preprocessing, TiledModel, predict
from app.scoring import ScoreRule
from app.tiling import Tiling

NAMES = "fusion", "patchcore", "subspace"
CHANNELS = 64
SIZE = 64, 96


def stage(scale: float = 0.1) -> SecondStage:
    return SecondStage.of(scale * torch.randn(CHANNELS, generator=torch.Generator().manual_seed(1)), torch.tensor(0.0))


def fitted(name: str, **options: Any) -> PatchDetector:
    """A detector of one layer that is fitted to random patches."""
    torch.manual_seed(0)
    detector = DETECTORS[name]("resnet18", ("layer1",), pre_trained=False, **options)
    assert isinstance(detector, PatchDetector)
    fitter = detector.fitter(3, (16, 24))
    for _ in range(3):
        fitter.add((torch.rand(CHANNELS, 16, 24),), 0)
    fitter.finish(lambda *_: None)
    return detector


def distances(detector: PatchDetector, patches: torch.Tensor) -> torch.Tensor:
    return detector.measure((patches,), [(0, 0)]).distances[0]


def test_factors_are_bounded_and_neutral_without_evidence() -> None:
    patches = 100 * torch.randn(500, CHANNELS)
    factors = stage(1)(patches)
    assert (float(factors.min()), float(factors.max())) == pytest.approx((1, MOST_FACTOR))
    assert torch.equal(SecondStage(CHANNELS)(patches), torch.ones(500))


@pytest.mark.parametrize("name", NAMES)
def test_each_cell_is_changed_by_its_own_factor(name: str) -> None:
    detector, second = fitted(name), stage()
    patches = torch.rand(1, CHANNELS, 16, 24)
    first = distances(detector, patches)
    changed = distances(detector.with_second_stage(second), patches)
    factors = second(patches.movedim(1, -1).flatten(0, 2)).view(1, 16, 24)
    assert factors.min() == 1 and factors.max() > 1.1
    torch.testing.assert_close(changed, first * factors)
    assert torch.equal(distances(detector, patches), first)  # the detector itself has none
    parts = [distances(detector.with_second_stage(second), patches[:, :, at]) for at in (slice(0, 5), slice(5, 16))]
    torch.testing.assert_close(torch.cat(parts, 1), changed)


@pytest.mark.parametrize("name", NAMES)
def test_the_score_of_the_farthest_patch_is_that_of_the_changed_distances(name: str) -> None:
    own = {} if name != "patchcore" else {"num_neighbors": 1}
    detector = fitted(name, score=ScoreRule.patch, **own).with_second_stage(stage())
    found = detector.measure((torch.rand(1, CHANNELS, 16, 24),), [(0, 0)])
    assert float(detector.score_of(None, [found.score_input])) == pytest.approx(float(found.distances[0].max()))


@pytest.mark.parametrize("rule", list(ScoreRule))
def test_no_score_is_lowered_whatever_was_learned(rule: ScoreRule) -> None:
    detector = fitted("subspace", score=rule)
    picture = (torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(3)) * 255).to(torch.uint8)
    tiling = Tiling(tile_size=32, stride=32)
    first = predict(TiledModel(detector, Preprocessing(), tiling), picture).raw_score
    for bias, factor in ((-1000.0, 1.0), (1000.0, MOST_FACTOR)):
        second = SecondStage.of(torch.zeros(CHANNELS), torch.tensor(bias))
        changed = predict(TiledModel(detector.with_second_stage(second), Preprocessing(), tiling), picture).raw_score
        assert changed == pytest.approx(first * factor)


@pytest.mark.parametrize("name", NAMES)
def test_the_fitted_state_has_it_and_is_the_same_without_it(name: str) -> None:
    detector, patches = fitted(name), torch.rand(1, CHANNELS, 16, 24)
    with_stage = detector.with_second_stage(stage())
    known, state = detector.state_dict(), with_stage.state_dict()
    assert state.keys() - known.keys() == {f"second_stage.{each}" for each in ("weight", "bias", "log_factor")}
    assert not known.keys() - state.keys()
    for original, tensors in ((detector, known), (with_stage, state)):
        loaded = DETECTORS[name](**detector.parameters_of_model)
        loaded.load_fitted_state(tensors)
        assert isinstance(loaded, PatchDetector)
        assert torch.equal(distances(loaded, patches), distances(original, patches))
        assert ("; with a second stage" in loaded.description) is ("second_stage.bias" in tensors)

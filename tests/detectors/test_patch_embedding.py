"""The options that detectors of patches share: the rule of the picture's score, and the blur of the map."""

from typing import Any

import pytest
import torch
from torch import Tensor

from app.detectors import DETECTORS, Detector, Measurement
from app.errors import InvalidParameter
from app.pipeline import Preprocessing, Roi, TiledModel, predict
from app.scoring import Grid, MapRule, ScoreRule, fill_map, mean_of_highest
from app.tiling import Tiling
from app.training.one_pass import fit

NAMES = ["patchcore", "subspace"]
SIZE = (64, 96)
OLDER: dict[str, dict[str, Any]] = {
    "patchcore": {
        "coreset_sampling_ratio": 0.1,
        "num_neighbors": 9,
        "precision": "float32",
        "max_store_mib": 1024,
    },
    "subspace": {"explained_variance": 0.99},
}
"""The parameters of artifacts that were written before these options existed."""


def fitted(name: str, **options: Any) -> Detector:
    """A detector of one layer that is fitted to random patches."""
    torch.manual_seed(0)
    if name == "patchcore":
        options = {"num_neighbors": 1, **options}
    detector: Any = DETECTORS[name]("resnet18", ("layer1",), pre_trained=False, **options)
    fitter = detector.fitter(3, (16, 24))
    for _ in range(3):
        fitter.add((torch.rand(64, 16, 24),), 0)
    fitter.finish(lambda *_: None)
    found: Detector = detector
    return found


def noise(seed: int) -> Tensor:
    return torch.randint(100, 140, (3, *SIZE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def model(name: str, **options: Any) -> TiledModel:
    """A model with random weights that was fitted to noise."""
    tiled = TiledModel(fitted(name, **options), Preprocessing(), Tiling(tile_size=32))
    fit(tiled, [noise(seed) for seed in range(3)], 3, (16, 24), batch_tiles=4)
    return tiled


def picture() -> Tensor:
    """Noise with a blob in its right half."""
    found = noise(9)
    found[:, 20:30, 70:80] = 255
    return found


def measured(detector: Detector, features: Tensor, counted: Tensor | None = None) -> Measurement:
    return detector.measure((features,), [(0, 0)] * len(features), counted)


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_patch_takes_the_largest_distance_of_all_parts(name: str) -> None:
    detector = fitted(name, score="patch")
    parts = [measured(detector, torch.rand(2, 64, 4, 6) * 3) for _ in range(3)]
    score = detector.image_score(torch.zeros(1), [part.score_input for part in parts])
    assert score == torch.stack([part.distances[0] for part in parts]).max()


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_patch_ignores_cells_that_do_not_count(name: str) -> None:
    detector, features = fitted(name, score="patch"), torch.rand(2, 64, 4, 6)
    features[0, :, 1, 2] += 10
    counted = torch.ones(2, 4, 6, dtype=torch.bool)
    counted[0, 1, 2] = False
    inputs = [measured(detector, features, counted), measured(detector, features + 20, torch.zeros_like(counted))]
    score = detector.image_score(torch.zeros(1), [each.score_input for each in inputs])
    assert score == inputs[0].distances[0][counted].max()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", ["map", "top"])
def test_the_rules_map_and_top_need_only_the_map(name: str, rule: str) -> None:
    detector, found = fitted(name, score=rule), torch.rand(70, 60)
    measurement = measured(detector, torch.rand(1, 64, 4, 6))
    assert measurement.score_input == ()
    expected = found.max() if rule == "map" else mean_of_highest(found)
    assert detector.image_score(found, [measurement.score_input]) == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", list(ScoreRule))
def test_each_rule_scores_a_region_by_what_is_inside_it(name: str, rule: ScoreRule) -> None:
    """A blob beside the region raises the score of the picture, and not that of the region."""
    tiled, blob = model(name, score=rule, blur_sigma=1), picture()
    calm = blob.clone()
    calm[:, 20:30, 70:80] = 120
    beside, around = Roi(0, 0, 64, 32), Roi(10, 60, 30, 36)
    scores = [predict(tiled, each, 4, beside).raw_score for each in (blob, calm)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)
    assert predict(tiled, blob, 4, around).raw_score > 1.05 * scores[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_regions_map_makes_its_score(name: str) -> None:
    for rule, expected in (("map", Tensor.amax), ("top", mean_of_highest)):
        outcome = predict(model(name, score=rule), picture(), 4, Roi(10, 20, 40, 70))
        assert outcome.raw_score == pytest.approx(float(expected(outcome.anomaly_map)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sigma", [0, 1.5, 4, 9])
def test_the_map_is_blurred_as_wide_as_asked_for(name: str, sigma: float) -> None:
    detector, distances = fitted(name, blur_sigma=sigma), torch.rand(16, 24)
    found, expected = torch.empty(SIZE), torch.empty(SIZE)
    rule = MapRule(detector.map_rule.upsampling, blur_sigma=sigma)
    for out, each in ((found, detector.map_rule), (expected, rule)):
        list(fill_map(out, [Grid(distances, (1 / 4, 1 / 4))], each))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_options_are_recorded_and_restored(name: str) -> None:
    detector = fitted(name, score="top", blur_sigma=2.5)
    parameters = detector.parameters_of_model
    assert parameters["score"] == "top"
    assert type(parameters["score"]) is str
    restored = DETECTORS[name](**parameters)
    assert restored.parameters_of_model == parameters
    assert restored.map_rule.blur_sigma == 2.5


@pytest.mark.parametrize(("name", "score"), [("patchcore", "patch"), ("subspace", "map")])
def test_older_artifacts_keep_their_score_and_blur(name: str, score: str) -> None:
    detector = DETECTORS[name](backbone="resnet18", layers=["layer2", "layer3"], **OLDER[name])
    assert detector.map_rule.blur_sigma == 4
    assert detector.parameters_of_model["score"] == score
    assert not [key for key in detector.state_dict() if key.startswith("whitening")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("score", "mean", "'mean'.*patch, map, top"),
        ("blur_sigma", -1, "-1.*0 .no blur. to 64"),
        ("blur_sigma", 65, "65"),
        ("blur_sigma", float("nan"), "nan"),
    ],
)
def test_other_values_are_refused_with_those_that_work(name: str, option: str, value: object, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        DETECTORS[name](backbone="resnet18", **{option: value})

"""The contract of app/detectors/base.py, for every detector."""

from copy import deepcopy

import pytest
import torch

from app.detectors import DETECTORS, BackboneDetector, Detector, GradientDetector, OnePassDetector
from app.training.monitor import timed
from tests.building import WITH_BACKBONE, build_detector

LITE = "efficientnet_lite0"
WITH_ANY_BACKBONE = [name for name in WITH_BACKBONE if not issubclass(DETECTORS[name], GradientDetector)]
ONE_PASS = sorted(name for name, kind in DETECTORS.items() if issubclass(kind, OnePassDetector))


@pytest.fixture(params=[*sorted(DETECTORS), *(f"{name} {LITE}" for name in WITH_ANY_BACKBONE)])
def detector(request: pytest.FixtureRequest) -> Detector:
    """A detector by its name, and by that of its backbone if that is no ResNet."""
    torch.manual_seed(0)
    name, *backbone = request.param.split()
    return build_detector(name, *backbone)


def fit(detector: Detector, pictures: int = 4) -> None:
    """Fits a one-pass detector. Other detectors give distances without a fit."""
    detector.requires_grad_(False).eval()
    if not isinstance(detector, OnePassDetector):
        return
    features = [detector.embed(torch.randn(1, 3, 64, 96)) for _ in range(pictures)]
    fitter = detector.fitter(pictures, (features[0][0].shape[2], features[0][0].shape[3]))
    for feature in features:
        fitter.add(tuple(each[0] for each in feature), 0)
    fitter.finish(lambda *_: None)


def test_embeddings_have_the_declared_strides(detector: Detector) -> None:
    features = detector.embed(torch.randn(2, 3, 64, 96))
    assert len(features) == len(detector.feature_strides)
    for feature, stride in zip(features, detector.feature_strides, strict=True):
        assert feature.shape[0] == 2
        assert feature.shape[2:] == (64 // stride, 96 // stride)
        assert detector.stride % stride == 0


def test_each_feature_gets_its_distances(detector: Detector) -> None:
    fit(detector)
    features = detector.embed(torch.randn(1, 3, 64, 96))
    measurement = detector.measure(features, [(0, 0)])
    for distances, stride in zip(measurement.distances, detector.map_strides, strict=True):
        assert distances.shape == (1, 64 // stride, 96 // stride)
        assert (distances >= 0).all()
        assert distances.isfinite().all()


def test_changed_features_have_larger_distances(detector: Detector) -> None:
    fit(detector)
    features = detector.embed(torch.randn(1, 3, 64, 96))
    if isinstance(detector, GradientDetector):  # as predicted after training
        features = features[: len(features) // 2] * 2
    channels = len(features[0][0])
    strange = features[0] + 5 * (torch.arange(channels) < max(1, channels // 4))[:, None, None], *features[1:]
    normal, far = (detector.measure(each, [(0, 0)]).distances[0].mean() for each in (features, strange))
    assert far > normal


def test_a_detector_is_restored_by_its_parameters_and_state(detector: Detector) -> None:
    fit(detector)
    restored = DETECTORS[detector.name](**detector.parameters_of_model)
    restored.load_fitted_state(detector.state_dict())
    tiles = torch.randn(1, 3, 64, 96)
    for model in (detector, restored):
        assert not isinstance(model, BackboneDetector) or not model.backbone.training
    first, second = (model.measure(model.embed(tiles), [(0, 0)]).distances[0] for model in (detector, restored))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", ONE_PASS)
def test_an_interrupted_fit_continues_with_the_same_result(name: str) -> None:
    torch.manual_seed(0)
    whole = build_detector(name).requires_grad_(False).eval()
    assert isinstance(whole, OnePassDetector)
    features = [whole.embed(torch.randn(1, 3, 64, 96)) for _ in range(12)]
    grid = features[0][0].shape[2], features[0][0].shape[3]
    states = []
    for stop in (0, 1, 5, 9, 12):
        torch.manual_seed(1)
        detector = deepcopy(whole)
        fitter = detector.fitter(len(features), grid)
        for number, feature in enumerate(features):
            if number == stop:
                state = {key: value.clone() for key, value in (fitter.state() or {}).items()}
                assert state
                fitter = detector.fitter(len(features), grid)
                fitter.load_state(state)
            fitter.add(tuple(each[0] for each in feature), 0)
        fitter.finish(lambda *_: None)
        states.append(detector.state_dict())
    for state in states[:-1]:
        assert all(torch.equal(state[key], value) for key, value in states[-1].items())


@pytest.mark.parametrize("name", ONE_PASS)
def test_a_forecast_names_the_stages_of_the_finish(name: str) -> None:
    torch.manual_seed(0)
    detector = build_detector(name).requires_grad_(False).eval()
    assert isinstance(detector, OnePassDetector)
    features = detector.embed(torch.randn(1, 3, 256, 256))
    fitter = detector.fitter(12, (features[0].shape[2], features[0].shape[3]))
    for _ in range(12):
        fitter.add(tuple(each[0] for each in features), 0)
    forecast, stages = fitter.forecast(timed), set[str]()
    assert forecast is not None and forecast.measure_s > 0
    fitter.finish(lambda stage, *_: stages.add(stage))
    assert stages == set(forecast.finish_s)


def test_a_state_of_another_detector_is_refused(detector: Detector) -> None:
    with pytest.raises(RuntimeError, match="Missing key"):
        detector.load_fitted_state({})


@pytest.mark.parametrize("detector", [*WITH_BACKBONE, f"patchcore {LITE}"], indirect=True)
def test_the_backbone_stays_in_evaluation_mode(detector: Detector) -> None:
    detector.train()
    assert not any(module.training for module in detector.get_submodule("backbone").modules())

"""Calibration on the pictures that were fitted to, each by a detector without it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.artifacts import Manifest, ModelRepository, load_artifact, read_manifest
from app.cli import main
from app.data import Folder, OnUnreadable
from app.detectors import Detector, Padim, Patchcore, Stfpm, Subspace
from app.errors import InvalidTraining
from app.pipeline import Execution, TiledModel, predict
from app.progress import silent
from app.scoring import calibrate_on_normal, confidence_limits
from app.tiling import Tiling
from app.training import Automatic, CalibrationChoice, CrossConformal, HoldOut, Recipe, plan_training, train
from app.training.one_pass import fit
from app.training.precision_margin import Rounded
from tests.conftest import Picture, draw_surface

CPU = torch.device("cpu")
COUNT = 6
TILING = Tiling(tile_size=64)
DETECTORS = ("padim", "patchcore", "subspace")
Usual = Callable[[str], tuple[Manifest, TiledModel]]


def detector(name: str) -> Detector:
    torch.manual_seed(0)
    if name == "padim":
        return Padim("resnet18", ("layer1",), n_features=8, pre_trained=False)
    if name == "patchcore":
        return Patchcore("resnet18", ("layer1",), coreset_sampling_ratio=1, pre_trained=False)
    return Subspace("resnet18", ("layer1",), pre_trained=False)


def tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1).contiguous()


def save(root: Path, pictures: list[Picture]) -> Path:
    root.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(root / f"{number:02}.png")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return save(tmp_path / "good", [draw_surface(number) for number in range(COUNT)])


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Usual:
    """A function that trains a detector of this name on six surfaces, once."""
    surfaces = [draw_surface(number) for number in range(COUNT)]
    return cache(lambda name: trained(save(tmp_path_factory.mktemp(name) / "good", surfaces), name))


def trained(
    root: Path,
    name: str,
    calibration: CalibrationChoice | None = None,
    on_unreadable: OnUnreadable = "stop",
) -> tuple[Manifest, TiledModel]:
    data = Folder(str(root), num_workers=0, on_unreadable=on_unreadable)
    recipe = Recipe(detector(name), data, TILING, calibration or Automatic(), seed=0, assess=False)
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(root.parent / "m"), "m", CPU, silent)
    return read_manifest(entry.path), load_artifact(entry).model


@pytest.mark.parametrize("name", DETECTORS)
def test_one_pass_detectors_are_fitted_to_all_pictures_and_calibrated_on_all(usual: Usual, name: str) -> None:
    manifest, _ = usual(name)
    calibration = manifest.calibration
    assert (calibration.protocol, calibration.pictures, manifest.provenance.pictures) == ("cross-conformal", 6, 6)
    assert manifest.quality is not None and manifest.quality.false_alarms is not None
    alarms = manifest.quality.false_alarms
    assert alarms.pictures == COUNT
    assert alarms.low <= alarms.exceeded / COUNT <= alarms.high
    assert calibration.thresholds is not None
    for value, (low, high), margin in (
        (calibration.image_threshold, calibration.thresholds.image_limits, calibration.thresholds.image_margin),
        (calibration.pixel_threshold, calibration.thresholds.pixel_limits, calibration.thresholds.pixel_margin),
    ):
        assert low < value and low < high
        assert margin >= 0


@pytest.mark.parametrize("name", ["patchcore", "subspace"])
def test_thresholds_are_those_of_refitted_detectors(root: Path, name: str) -> None:
    """Six pictures are six folds; the refits are exact with all patches in the bank."""
    manifest, _ = trained(root, name, CrossConformal(0.1))
    scores, peaks = [], []
    for number in range(COUNT):
        others = save(root.parent / f"{number}", [draw_surface(other) for other in range(COUNT) if other != number])
        kind = detector(name)
        recipe = Recipe(kind, Folder(str(others), num_workers=0), TILING)
        job = plan_training(recipe, CPU)
        model = TiledModel(kind, job.preprocessing, TILING)
        pictures = [tensor(draw_surface(other)) for other in range(COUNT) if other != number]
        fit(model, pictures, len(pictures), job.grid, 4)
        outcome = predict(model, tensor(draw_surface(number)), 4)
        scores.append(outcome.raw_score)
        peaks.append(float(outcome.anomaly_map.max()))
    found, thresholds = manifest.calibration, manifest.calibration.thresholds
    assert thresholds is not None
    expected = calibrate_on_normal(scores, peaks, 0.1, (thresholds.image_margin, thresholds.pixel_margin))
    assert found.image_threshold == pytest.approx(expected.image_threshold, rel=1e-3)
    assert found.pixel_threshold == pytest.approx(expected.pixel_threshold, rel=1e-3)
    assert thresholds.image_limits == pytest.approx(confidence_limits(scores, 0.1), rel=1e-3)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_full_store_changes_nothing(root: Path, usual: Usual, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_store, _ = usual(name)
    for most_bytes in (0, 1_000_000):  # none, and some
        monkeypatch.setattr("app.training.feature_store.MOST_BYTES", most_bytes)
        without, _ = trained(root, name)
        assert without.files["weights.safetensors"] == with_store.files["weights.safetensors"]
        assert without.calibration.image_threshold == pytest.approx(with_store.calibration.image_threshold, rel=1e-4)
        assert without.calibration.pixel_threshold == pytest.approx(with_store.calibration.pixel_threshold, rel=1e-4)


def test_detectors_that_are_trained_in_epochs_hold_pictures_out() -> None:
    gradient = Stfpm("resnet18", ("layer1",), pre_trained=False)
    assert Automatic(false_positive_rate=0.1).for_detector(gradient) == HoldOut(false_positive_rate=0.1)
    assert Automatic(false_positive_rate=0.1).for_detector(detector("subspace")) == CrossConformal(0.1)
    with pytest.raises(InvalidTraining, match=r"stfpm.*HoldOut"):
        CrossConformal().for_detector(gradient)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_share_holds_pictures_out(name: str) -> None:
    assert Automatic(0.3, 0.1).for_detector(detector(name)) == HoldOut(0.3, 0.1)


def test_the_command_refuses_it_for_detectors_that_are_trained_in_epochs(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", "Folder", "--data.root", str(root), "--tiling.tile_size", "64", "--name", "x"]
    models = ["--models_dir", str(root.parent / "m")]
    assert main(["train", "--model", "Stfpm", *options, *models, "--calibration", "crossconformal"]) == 1
    assert "use HoldOut" in capsys.readouterr().err


def test_a_single_picture_is_measured_by_the_detector_that_was_fitted_to_it(tmp_path: Path) -> None:
    root = save(tmp_path / "good", [draw_surface(0)])
    manifest, model = trained(root, "subspace")
    found = manifest.calibration
    assert (found.protocol, found.pictures, found.thresholds) == ("training-normal", 1, None)
    assert manifest.quality is not None and manifest.quality.false_alarms is None
    assert found.image_threshold >= predict(model, tensor(draw_surface(0)), 4).raw_score


def test_pictures_that_cannot_be_read_are_left_out_of_fit_and_calibration(root: Path) -> None:
    broken = (root / "04.png").read_bytes()
    (root / "04.png").write_bytes(broken[:-200])  # its header can be read
    manifest, _ = trained(root, "subspace", on_unreadable="skip")
    (root / "04.png").unlink()
    expected, _ = trained(root, "subspace")
    assert manifest.calibration.pictures == manifest.provenance.pictures == COUNT - 1
    for one, other in ((manifest, expected),):
        assert one.calibration.image_threshold == pytest.approx(other.calibration.image_threshold, rel=1e-4)


def test_if_only_one_picture_can_be_read_it_counts_as_a_single_one(tmp_path: Path) -> None:
    root = save(tmp_path / "good", [draw_surface(0), draw_surface(1)])
    (root / "01.png").write_bytes((root / "01.png").read_bytes()[:-200])
    manifest, _ = trained(root, "subspace", on_unreadable="skip")
    assert (manifest.calibration.protocol, manifest.calibration.pictures) == ("training-normal", 1)


@pytest.mark.parametrize("name", DETECTORS)
def test_rounding_does_not_make_a_picture_anomalous_that_all_training_pictures_equal(tmp_path: Path, name: str) -> None:
    root = save(tmp_path / "good", [draw_surface(0)] * 4)
    manifest, model = trained(root, name)
    rounded = model.with_execution(Execution(Rounded(model.detector), 4))
    for each, batch_tiles in ((model, 1), (model, 4), (rounded, 4)):
        outcome = predict(each, tensor(draw_surface(0)), batch_tiles)
        assert outcome.raw_score < manifest.calibration.image_threshold
        assert float(outcome.anomaly_map.max()) < manifest.calibration.pixel_threshold
    stained = draw_surface(0)
    stained[32:48, 32:48] = 0
    assert predict(model, tensor(stained), 4).raw_score > manifest.calibration.image_threshold


@pytest.mark.parametrize("name", DETECTORS)
def test_normal_pictures_keep_their_label_in_reduced_precision(usual: Usual, name: str) -> None:
    manifest, model = usual(name)
    rounded = model.with_execution(Execution(Rounded(model.detector), 4))
    found = manifest.calibration
    for number in range(COUNT):
        exact, other = (predict(each, tensor(draw_surface(number)), 4) for each in (model, rounded))
        assert exact.raw_score < found.image_threshold
        assert other.raw_score < found.image_threshold


def test_calibration_apart_from_a_training_is_refused(tiny_model: TiledModel, root: Path) -> None:
    from tests.training.test_calibration import READING

    pictures = CrossConformal().divide(Folder(str(root))).calibrate
    with pytest.raises(InvalidTraining, match="HoldOut"):
        CrossConformal().calibrate(tiny_model, pictures, READING)

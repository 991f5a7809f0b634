from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from app.artifacts import ModelRepository, read_manifest
from app.data import DataModule, Folder, LabelledPicture, UnreadablePolicy, decoded
from app.data.base import ValSplitMode
from app.detectors import Patchcore
from app.errors import InvalidDataset
from app.evaluation.mask import read_mask
from app.pipeline import TiledModel, predict
from app.scoring import calibrate_on_normal, confidence_limits, normal_threshold
from app.tiling import Tiling
from app.training import CalibrationProtocol, HoldOut, Labelled, Recipe, Reference, plan_training, train
from app.training.calibration import ReadingOptions, false_alarms
from tests.conftest import draw_surface

CPU = torch.device("cpu")
READING = ReadingOptions(workers=0, batch_tiles=4, unreadable=UnreadablePolicy())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six normal pictures, four with stains of different colours, and masks of these."""
    for folder in ("good", "bad", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(6):
        Image.fromarray(draw_surface(number)).save(tmp_path / f"good/{number}.png")
    for number in range(4):
        picture = draw_surface(20 + number)
        mask = np.zeros(picture.shape[:2], np.uint8)
        stain = np.s_[30 : 40 + 4 * number, 50:70]
        picture[stain], mask[stain] = (128 + 40 * number, 100, 90), 255
        Image.fromarray(picture).save(tmp_path / f"bad/{number}.png")
        Image.fromarray(mask).save(tmp_path / f"masks/{number}.png")
    return tmp_path


def folder(root: Path, mode: ValSplitMode = "same_as_test", masks: bool = True) -> DataModule:
    return Folder(
        str(root),
        "good",
        "bad",
        mask_dir="masks" if masks else None,
        test_split_ratio=0.5,
        val_split_mode=mode,
        num_workers=0,
    )


def outputs(model: TiledModel, pictures: list[LabelledPicture]) -> tuple[list[float], list[NDArray[np.float32]]]:
    """The scores of the pictures, and their maps."""
    outcomes = [predict(model, picture, 4) for picture in decoded([picture.path for picture in pictures], workers=0)]
    return [outcome.raw_score for outcome in outcomes], [outcome.anomaly_map.numpy() for outcome in outcomes]


def f1(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float(2 * (predicted & true).sum() / (predicted.sum() + true.sum()))


def best_f1(values: NDArray[np.float32], true: NDArray[np.bool_]) -> float:
    """The largest F1 of all thresholds; those at anomalous values suffice."""
    return max(f1(values >= value, true) for value in np.unique(values[true]))


def test_pictures_are_held_out_evenly(root: Path) -> None:
    division = HoldOut(share=0.4).divide(Folder(str(root / "good")))
    assert [picture.path.stem for picture in division.calibrate] == ["1", "4"]
    assert [path.stem for path in division.fit] == ["0", "2", "3", "5"]
    assert division.protocol == "held-out-normal"


@pytest.mark.parametrize(("share", "held_out"), [(0.01, 1), (0.2, 1), (0.5, 3), (0.99, 5)])
def test_at_least_one_picture_is_held_out_and_one_is_left(root: Path, share: float, held_out: int) -> None:
    division = HoldOut(share).divide(Folder(str(root / "good")))
    assert (len(division.fit), len(division.calibrate)) == (6 - held_out, held_out)


def test_a_single_picture_is_used_for_fitting_and_calibration(tmp_path: Path) -> None:
    Image.fromarray(draw_surface(0)).save(tmp_path / "0.png")
    division = HoldOut().divide(Folder(str(tmp_path)))
    assert division.fit == [picture.path for picture in division.calibrate]
    assert division.protocol == "training-normal"


@pytest.mark.parametrize(("name", "value"), [("share", 0.0), ("share", 1.0), ("false_positive_rate", 0.0)])
def test_a_share_or_rate_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidDataset, match=rf"calibration\.{name}\b.*\b{value}"):
        HoldOut(**{name: value})


def test_held_out_pictures_set_thresholds_by_scores_and_peaks(tiny_model: TiledModel, root: Path) -> None:
    pictures = HoldOut(0.5).divide(Folder(str(root / "good"))).calibrate
    found = HoldOut(false_positive_rate=0.1).calibrate(tiny_model, pictures, READING)
    scores, maps = outputs(tiny_model, pictures)
    assert found.thresholds is not None
    margins = found.thresholds.image_margin, found.thresholds.pixel_margin
    assert found.calibration == calibrate_on_normal(scores, [float(each.max()) for each in maps], 0.1, margins)
    assert found.thresholds.image_limits == confidence_limits(scores, 0.1)
    assert (found.pictures, found.anomalous_pictures, found.false_positive_rate) == (3, 0, 0.1)


def test_labels_set_the_thresholds_with_the_best_f1(tiny_model: TiledModel, root: Path) -> None:
    data = folder(root)
    pictures = Labelled().divide(data).calibrate
    found = Labelled().calibrate(tiny_model, pictures, READING)
    scores, maps = outputs(tiny_model, pictures)
    labels = np.array([picture.anomalous for picture in pictures])
    masks = [read_mask(picture, each.shape) for picture, each in zip(pictures, maps, strict=True)]
    pixels = np.concatenate([each.ravel() for each in maps])
    true = np.concatenate([mask.inside.ravel() for mask in masks if mask.inside is not None])
    image, pixel = np.array(scores), found.calibration.pixel_threshold
    assert f1(image > found.calibration.image_threshold, labels) == best_f1(image, labels)
    assert f1(pixels > pixel, true) == pytest.approx(best_f1(pixels, true), abs=1e-12)
    assert (found.pictures, found.anomalous_pictures, found.false_positive_rate) == (7, 4, None)
    assert not set(Labelled().divide(data).fit) & {picture.path for picture in pictures}


def test_without_masks_normal_pictures_set_the_pixel_threshold(tiny_model: TiledModel, root: Path) -> None:
    pictures = Labelled().divide(folder(root, masks=False)).calibrate
    found = Labelled(false_positive_rate=0.3).calibrate(tiny_model, pictures, READING)
    _, maps = outputs(tiny_model, [picture for picture in pictures if not picture.anomalous])
    assert found.calibration.pixel_threshold == normal_threshold([float(each.max()) for each in maps], 0.3)


@pytest.mark.parametrize("mode", ["none", "same_as_test"])
def test_labelled_calibration_needs_both_labels(root: Path, mode: ValSplitMode) -> None:
    with pytest.raises(InvalidDataset, match=r"\b0\b.*\b0\b.*--data.val_split_mode from_test\b"):
        Labelled().divide(Folder(str(root / "good"), val_split_mode=mode))


def test_the_reference_calibrates_on_the_test_pictures(tiny_model: TiledModel, root: Path) -> None:
    data = folder(root, "none")
    division = Reference().divide(data)
    assert division.calibrate == data.test_pictures()
    found = Reference().calibrate(tiny_model, division.calibrate, READING).calibration
    scores, maps = outputs(tiny_model, division.calibrate)
    assert found.image_threshold in scores
    assert (found.image_min, found.image_max) == (min(scores), max(scores))
    assert (found.pixel_min, found.pixel_max) == (float(np.min(maps)), float(np.max(maps)))
    assert any(found.pixel_threshold in each for each in maps)


def test_the_reference_calibrates_on_validation_pictures_if_there_are_any(root: Path) -> None:
    data = folder(root, "from_test")
    assert Reference().divide(data).calibrate == data.validation_pictures() != data.test_pictures()


def test_the_reference_has_the_fallbacks_of_anomalib(tiny_model: TiledModel, root: Path) -> None:
    unmasked = Reference().divide(folder(root, masks=False)).calibrate
    found = Reference().calibrate(tiny_model, unmasked, READING).calibration
    assert found.pixel_threshold == found.image_threshold
    normal = [picture for picture in unmasked if not picture.anomalous]
    found = Reference().calibrate(tiny_model, normal, READING).calibration
    assert (found.image_threshold, found.pixel_threshold) == (found.image_max, found.pixel_max)
    with pytest.raises(InvalidDataset, match="labelled"):
        Reference().divide(Folder(str(root / "good")))


@pytest.mark.parametrize(
    ("calibration", "mode", "expected"),
    [
        (HoldOut(0.5), "none", ("held-out-normal", 1, 2, 0, 0.05)),
        (Labelled(), "from_test", ("labelled", 3, 4, 2, None)),
        (Reference(), "none", ("reference", 3, 7, 4, None)),
    ],
)
def test_the_manifest_records_the_calibration(
    root: Path, calibration: CalibrationProtocol, mode: ValSplitMode, expected: tuple[object, ...]
) -> None:
    torch.manual_seed(0)
    detector = Patchcore("resnet18", ("layer1",), coreset_sampling_ratio=0.05, pre_trained=False)
    recipe = Recipe(detector, folder(root, mode), Tiling(tile_size=64), calibration)
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(root / "m"), "m", CPU, lambda *_, **__: None)
    manifest = read_manifest(entry.path)
    record = manifest.calibration
    pictures = manifest.provenance.pictures, record.pictures, record.anomalous_pictures
    assert (record.protocol, *pictures, record.false_positive_rate) == expected


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_that_cannot_be_read_are_left_out_and_reported(root: Path, workers: int) -> None:
    (root / "good/1.png").write_bytes(b"no picture")
    (root / "good/4.png").write_bytes((root / "good/4.png").read_bytes()[:-200])
    reported: list[str] = []
    detector = Patchcore("resnet18", ("layer1",), coreset_sampling_ratio=0.05, pre_trained=False)
    data = Folder(str(root / "good"), on_unreadable="skip", num_workers=workers)
    recipe = Recipe(detector, data, Tiling(tile_size=64), report=lambda path, _: reported.append(path.name))
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(root / "m"), "m", CPU, lambda *_, **__: None)
    assert read_manifest(entry.path).provenance.pictures == 4
    assert reported == ["1.png", "4.png"]


@pytest.mark.parametrize(("exceeded", "total"), [(0, 40), (2, 40), (40, 40), (0, 1)])
def test_false_alarms_have_the_interval_of_clopper_and_pearson(exceeded: int, total: int) -> None:
    """The ends are the rates at which so many false alarms, or more, or fewer, have a probability of 2.5 %."""
    found = false_alarms([2.0] * exceeded + [1.0] * (total - exceeded), 1.5)
    assert (found.pictures, found.exceeded) == (total, exceeded)
    least = stats.binom.sf(exceeded - 1, total, found.low), stats.binom.cdf(exceeded, total, found.high)
    assert found.low == 0 if exceeded == 0 else least[0] == pytest.approx(0.025)
    assert found.high == 1 if exceeded == total else least[1] == pytest.approx(0.025)


def test_a_score_at_the_threshold_is_no_false_alarm() -> None:
    assert false_alarms([1.0, 1.5], 1.5).exceeded == 0

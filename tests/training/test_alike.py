"""Training pictures that are alike are named, and none of them is anomalous."""

import io
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.artifacts import AlikeRecord, ModelRepository, load_artifact
from app.data import Folder, LabelledPicture, UnreadablePolicy, decoded
from app.detectors import DETECTORS, Detector, GradientDetector
from app.pipeline import Label, TiledModel, interpret, predict
from app.runtime import Precision, RunOptions
from app.tiling import Tiling
from app.training import HoldOut, Recipe, plan_training, train
from app.training.alike import GREY_VALUES, Sketches, sketch
from app.training.calibration import ReadingOptions
from app.training.options import TrainerOptions
from app.training.precision_margin import Rounded
from app.training.recalibration import Goal, recalibrate
from tests.conftest import draw_surface

Picture = NDArray[np.uint8]
CPU = torch.device("cpu")
PICTURES = 6


def noisy(picture: Picture, seed: int, share: float = 0.3) -> Picture:
    """The picture with noise of one grey value in a share of its pixels."""
    generator = np.random.default_rng(seed)
    noise = generator.choice([-1, 1], picture.shape) * (generator.random(picture.shape) < share)
    changed: Picture = np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)
    return changed


def jpeg(picture: Picture) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "jpeg", quality=95)
    return np.array(Image.open(buffer))


SURFACE = draw_surface(0, 64, 96)
GREY = np.full((64, 96, 3), 128, np.uint8)
ODD = draw_surface(0, 61, 77)
KINDS: dict[str, Callable[[int], Picture]] = {
    "copies": lambda _: SURFACE,
    "copies of an odd size": lambda _: ODD,
    "black sheets": lambda _: np.zeros_like(GREY),
    "grey sheets": lambda _: GREY,
    "white sheets": lambda _: np.full_like(GREY, 255),
    "near copies": lambda number: noisy(SURFACE, number, 0.001),
    "noise of rounding": lambda number: noisy(GREY, number),
    "one other pixel": lambda number: noisy(GREY, number, 0.0 if number else 0.0002),
    "copies and their JPEGs": lambda number: jpeg(SURFACE) if number % 2 else SURFACE,
}


def written(folder: Path, kind: str) -> Path:
    folder.mkdir()
    for number in range(PICTURES):
        Image.fromarray(KINDS[kind](number)).save(folder / f"{number}.png")
    return folder


def detector(name: str) -> Detector:
    options: dict[str, object] = {"pre_trained": False}
    if name == "padim":
        options |= {"n_features": 20}
    elif name == "patchcore":
        options |= {"layers": ("layer2",), "coreset_sampling_ratio": 0.2}
    return DETECTORS[name]("resnet18", **options)


def pairs() -> list[tuple[str, str]]:
    """Every kind with PatchCore, and with one other detector, each of them in turn."""
    others = [name for name in DETECTORS if name != "patchcore"]
    return [*(("patchcore", kind) for kind in KINDS), *zip(itertools.cycle(others), KINDS, strict=False)]


@pytest.mark.parametrize(("name", "kind"), pairs())
def test_no_training_picture_is_anomalous_if_all_are_alike(name: str, kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = written(tmp_path / "pictures", kind)
    data = Folder(str(folder), num_workers=0)
    recipe = Recipe(
        detector(name), data, Tiling(enable=False), seed=0, trainer=TrainerOptions(max_epochs=1), assess=False
    )
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(tmp_path / "m"), "x", CPU, lambda *_, **__: None)
    artifact = load_artifact(entry, CPU, RunOptions(precision=Precision.float32))
    model = artifact.model
    calibration = artifact.manifest.calibration.build()
    rounded = model.with_execution(replace(model.execution, network=Rounded(model.detector)))
    for picture in decoded(sorted(folder.iterdir()), 0, UnreadablePolicy()):
        for each in (model, rounded):
            outcome = predict(each, picture, 4)
            assert interpret(outcome, calibration).label is Label.normal
            assert float(outcome.anomaly_map.max()) <= calibration.pixel_threshold
    assert artifact.manifest.quality is not None
    defect = np.array(KINDS[kind](0))
    defect[20:40, 30:50] = (255, 0, 0)
    if not isinstance(recipe.detector, GradientDetector):  # one epoch does not train these
        assert predict(model, torch.from_numpy(defect).permute(2, 0, 1), 4).raw_score > calibration.image_threshold
    alike = artifact.manifest.quality.alike
    fitted = artifact.manifest.provenance.pictures
    assert alike is not None
    assert (alike.pictures, alike.alike) == (fitted, fitted - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_new_thresholds_of_pictures_that_are_alike_are_over_their_scores(
    kind: str, tiny_model: TiledModel, tmp_path: Path
) -> None:
    folder = written(tmp_path / "pictures", kind)
    pictures = [LabelledPicture(path, "good", None) for path in sorted(folder.iterdir())]
    reading = ReadingOptions(0, 4, UnreadablePolicy())
    found = recalibrate(tiny_model, Goal(false_positive_rate=0.05), pictures, reading, lambda *_, **__: None)
    assert all(each.raw_score < found.calibrated.calibration.image_threshold for each in found.scored)
    assert found.calibrated.alike == AlikeRecord(pictures=PICTURES, alike=PICTURES - 1, example=("1.png", "0.png"))
    held_out = HoldOut().calibrate(tiny_model, pictures, reading)
    assert held_out.alike == found.calibrated.alike


def compared(pictures: list[Picture]) -> AlikeRecord | None:
    sketches, paths = Sketches(), [Path(f"{number}.png") for number in range(len(pictures))]
    tensors = (torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures)
    assert [number for number, _ in sketches.watch(enumerate(tensors), paths)] == list(range(len(pictures)))
    return sketches.alike()


def test_pictures_that_differ_are_not_alike() -> None:
    assert compared([draw_surface(seed) for seed in range(8)]) is None
    marked = SURFACE.copy()
    marked[20:40, 30:50] = (255, 0, 0)
    assert compared([SURFACE, marked]) is None
    assert compared([GREY, np.full_like(GREY, 132)]) is None
    assert compared([SURFACE, SURFACE[:-1]]) is None


def test_each_picture_that_is_like_an_earlier_one_is_counted() -> None:
    others = [draw_surface(seed, 64, 96) for seed in (1, 2)]
    found = compared([others[0], SURFACE, others[1], noisy(SURFACE, 0), ODD, SURFACE, ODD])
    assert found == AlikeRecord(pictures=7, alike=3, example=("3.png", "1.png"))


def test_sketches_are_in_grey_values_for_all_depths_and_sizes() -> None:
    grey = torch.from_numpy(GREY).permute(2, 0, 1)
    for picture in (grey, grey.to(torch.int32).mul(257).to(torch.uint16), grey.repeat(1, 30, 30), grey[:, :5, :3]):
        assert float((sketch(picture) - 128).abs().max()) < GREY_VALUES / 4

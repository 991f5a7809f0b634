import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.errors import InvalidName, InvalidTiling, UnsupportedImport
from app.importing import Choices, Thresholds, import_model
from app.importing.detectors import UNFITTED
from app.importing.reference import SUPPORTED, THRESHOLDS
from app.pipeline import Preprocessing, TiledModel, predict
from app.tiling import Tiling
from tests.importing.files import (
    CLASSES,
    SIZE,
    Write,
    checkpoint_of,
    exported_of,
    fitted,
    reference_state,
    tiler_of,
)

PREPROCESSING = Preprocessing(SIZE, True, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
TILING = Tiling(tile_size=32)


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    return ModelRepository(tmp_path / "models")


def imported(path: Path, repository: ModelRepository, choices: Choices | None = None) -> Artifact:
    return load_artifact(import_model(path, repository, "taken", choices or Choices()).entry)


def assert_equal(found: TiledModel, expected: TiledModel) -> None:
    for height, width in (SIZE, (130, 100)):
        picture = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
        ours, theirs = predict(found, picture, 4), predict(expected, picture, 4)
        torch.testing.assert_close(ours.anomaly_map, theirs.anomaly_map, rtol=1e-4, atol=1e-5)
        assert ours.raw_score == pytest.approx(theirs.raw_score, rel=1e-4)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("tiling", [Tiling(enable=False), TILING], ids=["untiled", "tiled"])
def test_an_imported_checkpoint_gives_the_maps_and_scores_of_its_model(
    name: str, tiling: Tiling, write: Write, repository: ModelRepository
) -> None:
    detector = fitted(name)
    artifact = imported(write(checkpoint_of(detector)), repository, Choices(tiling=tiling))
    assert_equal(artifact.model, TiledModel(fitted(name), PREPROCESSING, tiling))
    assert artifact.manifest.detector.parameters == detector.parameters_of_model
    assert artifact.manifest.calibration.protocol == "imported"
    assert artifact.manifest.calibration.image_threshold == 3
    assert artifact.manifest.provenance.dataset == "imported from anomalib 2.x checkpoint"


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("tiled", [False, True], ids=["untiled", "tiled"])
def test_an_imported_export_gives_the_maps_and_scores_of_its_model(
    name: str, tiled: bool, write: Write, repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as classes:
        path = write(exported_of(fitted(name), classes, tiler_of(classes) if tiled else None))
    artifact = imported(path, repository)
    assert_equal(artifact.model, TiledModel(fitted(name), PREPROCESSING, TILING if tiled else Tiling(enable=False)))
    assert artifact.manifest.calibration.pixel_threshold == 2
    assert artifact.manifest.provenance.dataset == "imported from anomalib 2.x exported model"


def test_given_choices_override_the_file(write: Write, repository: ModelRepository) -> None:
    choices = Choices(Tiling(tile_size=64), (128, 64), False, Thresholds(image=7.0))
    manifest = imported(write(checkpoint_of(fitted("patchcore"))), repository, choices).manifest
    assert manifest.tiling.tile_size == (64, 64)
    assert manifest.preprocessing.image_size == (128, 64)
    assert not manifest.preprocessing.antialias
    assert (manifest.calibration.image_threshold, manifest.calibration.pixel_threshold) == (7, 2)


def test_half_precision_becomes_single_precision(write: Write, repository: ModelRepository) -> None:
    content = checkpoint_of(fitted("patchcore"))
    content["state_dict"] = {
        key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in content["state_dict"].items()
    }
    result = import_model(write(content), repository, "half", Choices())
    assert any("float16" in note for note in result.assumed)
    state = load_artifact(result.entry).model.detector.state_dict()
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in state.values())


def test_the_tag_of_a_timm_name_is_left_out(write: Write, repository: ModelRepository) -> None:
    content = checkpoint_of(fitted("stfpm"))
    content["hyper_parameters"]["backbone"] = "resnet18.a1_in1k"
    assert imported(write(content), repository).manifest.detector.parameters["backbone"] == "resnet18"


CONV = "model.feature_extractor.feature_extractor.conv1.weight"
BANK, IDX, MEAN = "model.memory_bank", "model.idx", "model.gaussian.mean"
NAN = torch.full((64, 3, 7, 7), float("nan"))
TENSORS = [  # detector, tensor, replacement (None: the tensor is left out), pattern in the error's message
    ("padim", "_is_fitted", torch.tensor([False]), re.escape(UNFITTED)),
    ("patchcore", BANK, torch.empty(0), re.escape(UNFITTED)),
    ("padim", MEAN, torch.empty(0), re.escape(UNFITTED)),
    ("padim", MEAN, None, re.escape(MEAN)),
    ("padim", IDX, None, "n_features"),
    ("padim", IDX, torch.tensor([0, 1, 2, 3, 999]), re.escape(IDX)),
    ("patchcore", CONV, None, re.escape(CONV)),
    ("patchcore", CONV, torch.rand(64, 3, 3, 3), r"\[64, 3, 3, 3\].*\[64, 3, 7, 7\]"),
    ("patchcore", CONV, NAN, rf"{re.escape(CONV)}.* finite"),
    ("patchcore", BANK, torch.rand(20, 100), r"\[20, 100\].*\[20, 384\]"),
    ("patchcore", BANK, None, re.escape(SUPPORTED)),
    ("patchcore", "model.projection", torch.rand(2), r"model\.projection"),
    ("patchcore", "post_processor.image_min", torch.rand(2), "single number"),
    ("padim", "image_threshold.value", torch.tensor(1.0), r"1\.x"),
    ("padim", "normalization_metrics.min", torch.tensor(1.0), r"1\.x"),
    ("padim", THRESHOLDS, None, re.escape(THRESHOLDS)),
]
HYPERPARAMETERS = [
    ("stfpm", "backbone", "efficientnet_b0", "'efficientnet_b0'.*resnet18"),
    ("stfpm", "backbone", None, "backbone None"),
    ("stfpm", "layers", ["blocks.1"], r"\['blocks\.1'\].*layer1"),
    ("stfpm", "layers", ["layer2", "layer1"], r"\['layer2', 'layer1'\]"),
    ("stfpm", "layers", ["layer1", "layer2"], r"model\.\S*layer3"),
    ("patchcore", "layers", ["layer3", "layer4"], r"model\.\S*layer4"),
    ("patchcore", "num_neighbors", None, "num_neighbors.*None"),
    ("patchcore", "num_neighbors", 2.5, r"num_neighbors.*2\.5"),
    ("patchcore", "coreset_sampling_ratio", "all", "hyperparameters cannot"),
    ("reverse_distillation", "layers", ["layer1"], "hyperparameters cannot"),
    ("reverse_distillation", "anomaly_map_mode", "max", "'multiply'"),
]


def assert_refused(content: object, message: str, write: Write, repository: ModelRepository) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        import_model(write(content), repository, "refused", Choices())
    assert not repository.entries()


@pytest.mark.parametrize(("name", "tensor", "value", "message"), TENSORS)
def test_tensors_that_do_not_fit_are_refused(
    name: str, tensor: str, value: Tensor | None, message: str, write: Write, repository: ModelRepository
) -> None:
    content = checkpoint_of(fitted(name))
    state = {**content["state_dict"], tensor: value}
    content["state_dict"] = {key: each for key, each in state.items() if each is not None}
    assert_refused(content, message, write, repository)


@pytest.mark.parametrize(("name", "parameter", "value", "message"), HYPERPARAMETERS)
def test_unsupported_hyperparameters_are_refused(
    name: str, parameter: str, value: object, message: str, write: Write, repository: ModelRepository
) -> None:
    content = checkpoint_of(fitted(name))
    content["hyper_parameters"][parameter] = value
    assert_refused(content, message, write, repository)


def test_other_files_of_torch_are_refused(write: Write, repository: ModelRepository) -> None:
    assert_refused({"state_dict": {}}, re.escape(THRESHOLDS), write, repository)
    assert_refused({"conv1.weight": torch.rand(2)}, r"\(state_dict\).*\(model\)", write, repository)
    assert_refused([1, 2], r"\(state_dict\).*\(model\)", write, repository)


def test_padim_without_a_recorded_image_size_needs_a_given_one(write: Write, repository: ModelRepository) -> None:
    content = checkpoint_of(fitted("padim"))
    content["anomalib_pre_processor_config"] = {"transform": None}
    path = write(content)
    with pytest.raises(UnsupportedImport, match="--image_size"):
        import_model(path, repository, "sized", Choices())
    assert imported(path, repository, Choices(image_size=SIZE)).manifest.preprocessing.image_size == SIZE


def test_an_impossible_given_tiling_is_refused_with_nearest_sizes(write: Write, repository: ModelRepository) -> None:
    path = write(checkpoint_of(fitted("patchcore")))
    with pytest.raises(InvalidTiling, match="96 or 112"):
        import_model(path, repository, "tiled", Choices(tiling=Tiling(tile_size=100)))


def test_a_recorded_tiling_that_cannot_work_is_refused(
    write: Write, repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiler = tiler_of(monkeypatch, tile_size_h=40, stride_h=40)
    path = write(exported_of(fitted("patchcore"), monkeypatch, tiler))
    with pytest.raises(UnsupportedImport, match="tile_size 40"):
        import_model(path, repository, "tiled", Choices())


def test_a_name_that_cannot_be_used_is_refused_before_the_file_is_read(repository: ModelRepository) -> None:
    with pytest.raises(InvalidName, match="No Name"):
        import_model(Path("nowhere.ckpt"), repository, "No Name", Choices())


def test_a_repository_that_cannot_be_written_to_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(InvalidName, match=re.escape(str(tmp_path / "models"))):
        import_model(Path("nowhere.ckpt"), ModelRepository(tmp_path / "models"), "screw", Choices())


def test_weights_without_a_model_are_refused(write: Write, repository: ModelRepository) -> None:
    path = write({"model": reference_state(fitted("patchcore"))})
    with pytest.raises(UnsupportedImport, match="weights alone"):
        import_model(path, repository, "weights", Choices())

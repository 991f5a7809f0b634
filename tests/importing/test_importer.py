import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.backbones import IMAGENET
from app.errors import InvalidName, InvalidTiling, UnsupportedImport
from app.importing import Choices, Thresholds, import_model
from app.importing.detectors import UNFITTED
from app.importing.reference import SUPPORTED, THRESHOLDS
from app.pipeline import Preprocessing, TiledModel, predict
from app.tiling import Tiling
from tests.importing.files import (
    CLASSES,
    NUMBERS,
    SIZE,
    UNTILED,
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
    return load_artifact(import_model(path, repository, "taken", choices or UNTILED).entry)


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
    artifact = imported(path, repository, Choices())
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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single_precision(dtype: torch.dtype, write: Write, repository: ModelRepository) -> None:
    content = checkpoint_of(fitted("patchcore"))
    content["state_dict"] = {
        key: tensor.to(dtype) if tensor.is_floating_point() else tensor for key, tensor in content["state_dict"].items()
    }
    result = import_model(write(content), repository, "half", UNTILED)
    assert any(str(dtype).removeprefix("torch.") in note for note in result.assumed)
    state = load_artifact(result.entry).model.detector.state_dict()
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in state.values())


def test_the_tag_of_a_timm_name_is_left_out(write: Write, repository: ModelRepository) -> None:
    content = checkpoint_of(fitted("stfpm"))
    content["hyper_parameters"]["backbone"] = "resnet18.a1_in1k"
    assert imported(write(content), repository).manifest.detector.parameters["backbone"] == "resnet18"


CONV = "model.feature_extractor.feature_extractor.conv1.weight"
BANK, IDX, MEAN = "model.memory_bank", "model.idx", "model.gaussian.mean"
BLUR = "model.anomaly_map_generator.blur.kernel"
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
    ("patchcore", BLUR, torch.rand(1, 1, 33, 33), rf"{re.escape(BLUR)}.* sigma"),
    ("patchcore", BLUR, torch.rand(1, 1, 17, 17), r"\[1, 1, 17, 17\]"),
    ("patchcore", "model.anomaly_map_generator.gain", torch.rand(1), r"generator\.gain"),
    ("stfpm", "pre_processor.mean", torch.rand(3), r"pre_processor\.mean"),
    ("stfpm", "post_processor.temperature", torch.rand(1), r"post_processor\.temperature"),
    ("stfpm", "head.weight", torch.rand(3), r"head\.weight"),
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
        import_model(write(content), repository, "refused", UNTILED)
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
    content["anomalib_components_enabled"]["pre_processor"] = False
    path = write(content)
    with pytest.raises(UnsupportedImport, match="--image_size"):
        import_model(path, repository, "sized", UNTILED)
    sized = replace(UNTILED, image_size=SIZE)
    assert imported(path, repository, sized).manifest.preprocessing.image_size == SIZE


@pytest.mark.parametrize("name", ["evaluator.test_metrics.0.total", "loss.weight", "val_metrics.0.preds"])
def test_tensors_that_predictions_do_not_depend_on_are_ignored(
    name: str, write: Write, repository: ModelRepository
) -> None:
    content = checkpoint_of(fitted("stfpm"))
    content["state_dict"] |= {name: torch.rand(2), "post_processor._image_threshold_metric.preds": torch.rand(2)}
    assert imported(write(content), repository).manifest.calibration.image_threshold == 3


WRAPPERS = [
    ("model.", "_orig_mod."),
    ("model.", "module."),
    ("", "module._orig_mod."),
    ("", "_forward_module."),
    ("bn1.", "_checkpoint_wrapped_module."),
    ("layer1.", "_orig_mod._fsdp_wrapped_module."),
]


@pytest.mark.parametrize(
    ("name", "part", "wrapper"),
    [(name, *each) for name, each in zip(itertools.cycle(CLASSES), [*WRAPPERS, *reversed(WRAPPERS)], strict=False)],
)
def test_wrapped_networks_are_imported_as_if_they_were_not(
    name: str, part: str, wrapper: str, write: Write, repository: ModelRepository
) -> None:
    content = checkpoint_of(fitted(name))
    state = content["state_dict"]
    content["state_dict"] = {
        f"{before}{part}{wrapper}{after}" if joint or not part else key: tensor
        for key, tensor in state.items()
        for before, joint, after in [key.partition(part) if part else ("", "", key)]
    }
    assert content["state_dict"].keys() != state.keys()
    model = imported(write(content), repository).model
    assert_equal(model, TiledModel(fitted(name), PREPROCESSING, Tiling(enable=False)))


def test_a_tensor_with_and_without_a_wrapper_is_refused(write: Write, repository: ModelRepository) -> None:
    content = checkpoint_of(fitted("patchcore"))
    content["state_dict"]["model._orig_mod.memory_bank"] = torch.rand(20, 384)
    assert_refused(content, rf"{re.escape(BANK)} twice", write, repository)


def averaged(content: dict[str, Any], steps: int) -> dict[str, Any]:
    """The checkpoint as lightning's WeightAveraging writes it: averages have no thresholds, callbacks have them."""
    own = content["state_dict"]
    numbers = {name: own[f"post_processor.{name}"] for name in NUMBERS}
    unset = {key: torch.tensor(float("nan")) for key in own if key.startswith("post_processor.")}
    last = {key: tensor + 1 if tensor.is_floating_point() else tensor for key, tensor in own.items()}
    return {
        **content,
        "state_dict": {**own, **unset},
        "current_model_state": last,
        "averaging_state": {"n_averaged": torch.tensor(steps)},
        "callbacks": {"EMAWeightAveraging": {"latest_update_step": 9}, "PostProcessor": numbers},
    }


def test_averaged_weights_are_taken_with_the_thresholds_of_the_callback(
    write: Write, repository: ModelRepository
) -> None:
    artifact = imported(write(averaged(checkpoint_of(fitted("stfpm")), 9)), repository)
    assert_equal(artifact.model, TiledModel(fitted("stfpm"), PREPROCESSING, Tiling(enable=False)))
    found = artifact.manifest.calibration
    assert (found.image_threshold, found.pixel_threshold, found.image_max, found.pixel_max) == (3, 2, 5, 4)


def test_averages_that_were_never_taken_are_refused(write: Write, repository: ModelRepository) -> None:
    assert_refused(averaged(checkpoint_of(fitted("stfpm")), 0), "n_averaged is 0", write, repository)


def unset(content: dict[str, Any], *names: str) -> dict[str, Any]:
    changed = {f"post_processor.{name}": torch.tensor(float("nan")) for name in names}
    return {**content, "state_dict": {**content["state_dict"], **changed}}


def configured(content: dict[str, Any], **settings: object) -> dict[str, Any]:
    key = "anomalib_post_processor_config"
    return {**content, key: {**content[key], **settings}}


def untransformed(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "anomalib_pre_processor_config": {"transform": None}}


def before_2_7(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if not key.startswith("anomalib_")}


LEVELS = Thresholds(image=7.0, pixel=8.0)
QUESTIONS = [  # what the file lacks, the options that the message names, and an answer
    (lambda content: content, ("--tiling.enable false", "--tiling.tile_size"), Choices()),
    (before_2_7, ("--image_size 256",), replace(UNTILED, image_size=SIZE)),
    (untransformed, ("--normalisation none", "imagenet"), replace(UNTILED, normalisation="none")),
    (lambda content: unset(content, *NUMBERS), ("--image_threshold 0.5", "--pixel_threshold 0.5"), LEVELS),
    (
        lambda content: configured(content, enable_normalization=False),
        ("--image_threshold 3,", "--pixel_threshold 2,", "--image_threshold 0.5"),
        LEVELS,
    ),
    (
        lambda content: configured(unset(content, "_image_threshold", "_pixel_threshold"), enable_thresholding=False),
        ("--image_threshold", "--pixel_threshold"),
        LEVELS,
    ),
]


@pytest.mark.parametrize(("change", "options", "answer"), QUESTIONS)
def test_what_a_file_does_not_record_is_asked_for(
    change: Callable[[dict[str, Any]], dict[str, Any]],
    options: tuple[str, ...],
    answer: Choices | Thresholds,
    write: Write,
    repository: ModelRepository,
) -> None:
    path = write(change(checkpoint_of(fitted("patchcore"))))
    given = replace(UNTILED, thresholds=answer) if isinstance(answer, Thresholds) else answer
    asked = Choices() if answer == Choices() else UNTILED
    with pytest.raises(UnsupportedImport) as refused:
        import_model(path, repository, "asked", asked)
    assert all(option in str(refused.value) for option in options)
    assert not repository.entries()
    import_model(path, repository, "asked", UNTILED if answer == Choices() else given)


def test_all_questions_are_asked_at_once(write: Write, repository: ModelRepository) -> None:
    path = write(untransformed(unset(checkpoint_of(fitted("stfpm")), *NUMBERS)))
    with pytest.raises(UnsupportedImport) as refused:
        import_model(path, repository, "asked", Choices())
    for option in ("--tiling", "--normalisation", "--image_threshold", "--pixel_threshold"):
        assert f"\n  {option}: " in str(refused.value)


def test_a_given_normalisation_replaces_that_of_the_file(write: Write, repository: ModelRepository) -> None:
    path = write(checkpoint_of(fitted("patchcore")))
    found = imported(path, repository, replace(UNTILED, normalisation="imagenet")).manifest.preprocessing
    assert (found.mean, found.std, found.image_size) == (IMAGENET.mean, IMAGENET.std, SIZE)
    found = imported(path, repository, replace(UNTILED, normalisation="none")).manifest.preprocessing
    assert (found.mean, found.std) == ((0, 0, 0), (1, 1, 1))


def test_post_processors_of_another_kind_are_refused_by_name(write: Write, repository: ModelRepository) -> None:
    content = checkpoint_of(fitted("patchcore"))
    numbers = {name: torch.tensor(value) for name, value in NUMBERS.items()}
    named = {**content, "callbacks": {"MEBinPostProcessor": numbers}}
    assert_refused(named, "post-processor of its own, MEBinPostProcessor", write, repository)
    assert_refused(configured(content, sample_rate=4, erode=True), "erode, sample_rate", write, repository)
    del content["anomalib_post_processor_config"]
    assert_refused(content, "post-processor of its own", write, repository)


def test_a_tensor_of_another_layout_is_refused_by_name(write: Write, repository: ModelRepository) -> None:
    content = checkpoint_of(fitted("patchcore"))
    content["state_dict"][CONV] = torch.rand(64, 147).to_sparse()
    assert_refused(content, re.escape(CONV), write, repository)


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

"""Models that anomalib trained give the same maps, scores and labels after the import."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from anomalib import models
from anomalib.callbacks import TilerConfigurationCallback
from anomalib.data import Folder, InferenceBatch
from anomalib.data.utils.tiler import ImageUpscaleMode
from anomalib.data.utils.tiler import Tiler as ReferenceTiler
from anomalib.engine import Engine
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from torch import Tensor
from torchvision.transforms import v2

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.errors import UnsupportedImport
from app.importing import Choices, import_model
from app.importing.archive import open_archive
from app.importing.detectors import imported_detector
from app.importing.exported import read_exported
from app.importing.records import as_dict
from app.importing.reference import SUPPORTED
from app.pipeline import Label, Outcome, Preprocessing, TiledModel, assembled, interpret, predict
from app.pipeline.assembly import Assembly
from app.tiling import Size, Tiling, TilingMode
from tests.conftest import draw_surface
from tests.parity.conftest import measure_exactly, without_downloads

CLASSES = {
    "padim": models.Padim,
    "patchcore": models.Patchcore,
    "stfpm": models.Stfpm,
    "reverse_distillation": models.ReverseDistillation,
}
TOLERANCE = 1e-4
UNTILED = Choices(tiling=Tiling(enable=False))
TILING = Tiling(tile_size=[64, 32], stride=32)


@dataclass(frozen=True)
class Trained:
    """A module that anomalib trained, and the files that anomalib wrote."""

    name: str
    module: Any
    checkpoint: Path
    exported: Path
    size: Size
    tiling: Tiling

    def expected(self, picture: Tensor) -> InferenceBatch:
        """The output of anomalib's network for a picture, before it is normalised."""
        with torch.inference_mode():
            return self.module.eval().model(self.module.pre_processor.transform(picture[None] / 255))


def train(name: str, folder: Path, output: Path, tiling: Tiling, with_masks: bool = False, **options: Any) -> Trained:
    """Trains a model of anomalib's for one epoch, and exports it."""
    callbacks = (
        [TilerConfigurationCallback(True, tiling.tile_size, tiling.stride, mode=ImageUpscaleMode(tiling.mode))]
        if tiling.enable
        else []
    )
    torch.manual_seed(0)
    with warnings.catch_warnings(), without_downloads():
        warnings.simplefilter("ignore")
        module: Any = CLASSES[name](backbone="resnet18", **options)
        data = Folder(
            "surface",
            root=folder,
            normal_dir="good",
            abnormal_dir="bad",
            mask_dir="masks" if with_masks else None,
            train_batch_size=2,
            eval_batch_size=2,
            num_workers=0,
            val_split_mode="same_as_test",
        )
        engine = Engine(
            default_root_dir=output,
            callbacks=callbacks,
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
        )
        engine.fit(model=module, datamodule=data)
        exported = engine.export(model=module, export_type="torch", export_root=output)
    assert engine.best_model_path and exported
    measure_exactly(module)
    resize = module.pre_processor.transform.transforms[0]
    return Trained(name, module, Path(engine.best_model_path), Path(exported), tuple(resize.size), tiling)


def custom(size: Size) -> dict[str, Any]:
    """A pre-processor and a post-processor with settings that are not the default ones."""
    steps = [v2.Resize(size, antialias=True), v2.Normalize(mean=[0.5, 0.4, 0.3], std=[0.2, 0.25, 0.3])]
    return {
        "pre_processor": PreProcessor(transform=v2.Compose(steps)),
        "post_processor": PostProcessor(image_sensitivity=0.3, pixel_sensitivity=0.8),
    }


@pytest.fixture(scope="module", params=CLASSES)
def untiled(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Each of the models with the default processors: 256 x 256 pixels."""
    name: str = request.param
    options: dict[str, Any] = {"n_features": 20} if name == "padim" else {}
    return train(name, folder, tmp_path_factory.mktemp(name), Tiling(enable=False), **options)


@pytest.fixture(scope="module", params=CLASSES)
def tiled(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Each of the models with custom processors, overlapping tiles and masks."""
    name: str = request.param
    return train(name, folder, tmp_path_factory.mktemp(name), TILING, True, **custom((128, 96)))


def imported(path: Path, tmp_path: Path, choices: Choices) -> Artifact:
    return load_artifact(import_model(path, ModelRepository(tmp_path), "imported", choices).entry)


def pictures(size: Size) -> Iterator[Tensor]:
    """A surface and one with a stain, [3,H,W] uint8."""
    for seed, stained in ((20, False), (21, True)):
        picture = draw_surface(seed, *size)
        if stained:
            picture[10:30, 40:70] = (255, 0, 0)
        yield torch.from_numpy(picture).permute(2, 0, 1).contiguous()


def assert_equal(found: Outcome, expected: InferenceBatch) -> None:
    assert expected.anomaly_map is not None and expected.pred_score is not None
    largest = float(expected.anomaly_map.max())
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map[0, 0], rtol=0, atol=TOLERANCE * largest)
    assert found.raw_score == pytest.approx(float(expected.pred_score), abs=TOLERANCE * largest)


@pytest.mark.parametrize("kind", ["checkpoint", "exported"])
def test_untiled_models_give_the_same_maps_and_scores(untiled: Trained, kind: str, tmp_path: Path) -> None:
    model = imported(getattr(untiled, kind), tmp_path, UNTILED).model
    assert model.preprocessing == Preprocessing((256, 256))
    assert not model.tiling.enable
    for picture in pictures(untiled.size):
        assert_equal(predict(model, picture, 4), untiled.expected(picture))


@pytest.mark.parametrize("kind", ["checkpoint", "exported"])
def test_tiled_models_with_custom_processors_give_the_same_maps(tiled: Trained, kind: str, tmp_path: Path) -> None:
    choices = Choices(tiling=TILING if kind == "checkpoint" else None)
    model = imported(getattr(tiled, kind), tmp_path, choices).model
    assert model.preprocessing == Preprocessing((128, 96), True, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    assert model.tiling == TILING
    for picture in pictures(tiled.size):
        assert_equal(predict(model, picture, 4), tiled.expected(picture))


def test_default_thresholds_equal_the_references(untiled: Trained, tmp_path: Path) -> None:
    found = imported(untiled.checkpoint, tmp_path, UNTILED).manifest.calibration
    post = untiled.module.post_processor
    for name in ("image_threshold", "pixel_threshold", "image_min", "image_max", "pixel_min", "pixel_max"):
        assert getattr(found, name) == float(getattr(post, name)), name
    assert found.protocol == "imported"


@pytest.mark.parametrize("kind", ["checkpoint", "exported"])
def test_labels_and_masks_follow_the_sensitivities(tiled: Trained, kind: str, tmp_path: Path) -> None:
    artifact = imported(getattr(tiled, kind), tmp_path, Choices(tiling=TILING))
    calibration = artifact.manifest.calibration.build()
    for picture in pictures(tiled.size):
        outcome = predict(artifact.model, picture, 4)
        expected = tiled.module.post_processor(tiled.expected(picture))
        assert (interpret(outcome, calibration).label is Label.anomalous) == bool(expected.pred_label)
        mask = outcome.anomaly_map > calibration.pixel_threshold
        assert float((mask != expected.pred_mask[0, 0]).float().mean()) < 1e-3  # pixels at the threshold
        shifted = (expected.anomaly_map[0, 0] + 0.3).clamp(max=1)  # ours have the threshold at 0.5, not at 0.2
        inside = (expected.anomaly_map[0, 0] > 0) & (expected.anomaly_map[0, 0] < 1)
        normalised = calibration.normalise_map(outcome.anomaly_map)
        torch.testing.assert_close(normalised[inside], shifted[inside], rtol=0, atol=1e-3)


@pytest.mark.parametrize("antialias", [True, False])
def test_pictures_are_resized_as_in_training_or_as_in_the_exported_model(
    untiled: Trained, antialias: bool, tmp_path: Path
) -> None:
    artifact = imported(untiled.exported, tmp_path, Choices(antialias=antialias))
    model, calibration = artifact.model, artifact.manifest.calibration.build()
    picture = torch.from_numpy(draw_surface(30, 400, 300)).permute(2, 0, 1).contiguous()
    prepared = replace(model.prepare(picture), image_size=untiled.size)
    outcome = assembled(model, model.outputs(prepared, 4), prepared)
    if antialias:
        assert_equal(outcome, untiled.expected(picture))
    else:
        with torch.inference_mode():
            expected = untiled.module.eval()(picture[None] / 255)
        found = calibration.normalise_map(outcome.anomaly_map)
        torch.testing.assert_close(found, expected.anomaly_map[0, 0], rtol=0, atol=1e-3)
        assert calibration.normalise_score(outcome.raw_score) == pytest.approx(float(expected.pred_score), abs=1e-3)


@pytest.mark.parametrize("mode", [TilingMode.padding, TilingMode.interpolation])
@pytest.mark.parametrize("size", [(64, 96), (72, 80)], ids=["on the grid", "off the grid"])
def test_gaussians_of_padding_and_of_pixels_are_left_out(mode: str, size: Size, folder: Path, tmp_path: Path) -> None:
    tiling = Tiling(tile_size=32, mode=TilingMode.padding if mode == TilingMode.padding else TilingMode.interpolation)
    trained = train("padim", folder, tmp_path, tiling, n_features=10, **custom(size))
    with open_archive(trained.exported) as archive:
        source = read_exported(as_dict(archive.content()))
        preprocessing = Preprocessing(size, True, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
        model = TiledModel(imported_detector(source, preprocessing, tiling, archive.read), preprocessing, tiling)
    picture = next(pictures(size))
    network, tiler = trained.module.model, ReferenceTiler(32, 32, mode=ImageUpscaleMode(mode))
    with torch.inference_mode():
        tiles = tiler.tile(trained.module.pre_processor.transform(picture[None] / 255))
        embedding = tiler.untile(network.generate_embedding(network.feature_extractor(tiles)))
        gaussian = network.gaussian
        everything = network.anomaly_map_generator.compute_distance(
            embedding, [gaussian.mean, gaussian.inv_covariance]
        )[0, 0]
        prepared = model.prepare(picture)
        assembly = Assembly(model, prepared)
        for features in model.outputs(prepared, 4):
            list(assembly.add(features))
        (found,) = assembly.distances
    if mode == "padding":
        expected = everything[: found.shape[0], : found.shape[1]]
    else:  # anomalib has one distance per pixel: they equal ours, enlarged by nearest neighbour
        expected, found = everything, torch.nn.functional.interpolate(found[None, None], size=size)[0, 0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=TOLERANCE * float(everything.max()))


def test_half_precision_is_computed_in_single_precision(folder: Path, tmp_path: Path) -> None:
    trained = train("patchcore", folder, tmp_path, Tiling(enable=False), precision="float16", **custom((64, 96)))
    artifact = imported(trained.checkpoint, tmp_path / "models", UNTILED)
    picture = next(pictures(trained.size))
    expected = trained.expected(picture)
    assert expected.anomaly_map is not None and expected.anomaly_map.dtype == torch.float16
    found = predict(artifact.model, picture, 4)
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map[0, 0].float(), rtol=0.05, atol=0.05)


def test_a_wrong_size_or_tiling_of_gaussians_is_refused(folder: Path, tmp_path: Path) -> None:
    trained = train("padim", folder, tmp_path, Tiling(enable=False), n_features=10, **custom((64, 96)))
    with pytest.raises(UnsupportedImport, match=r"\b384 .*128 x 96 .*32 x 24"):
        imported(trained.checkpoint, tmp_path / "models", replace(UNTILED, image_size=(128, 96)))
    with pytest.raises(UnsupportedImport, match=r"256 x 256 .*64 x 64"):
        imported(trained.checkpoint, tmp_path / "models", Choices(tiling=Tiling()))


def test_other_models_are_refused(folder: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings(), without_downloads():
        warnings.simplefilter("ignore")
        module = models.Fastflow(backbone="resnet18")
        exported = module.to_torch(tmp_path)
        torch.save({"state_dict": module.state_dict(), "hyper_parameters": {}}, tmp_path / "model.ckpt")
    with pytest.raises(UnsupportedImport, match=r"anomalib\.models\.image\.fastflow\.lightning_model\.Fastflow"):
        imported(exported, tmp_path, Choices())
    with pytest.raises(UnsupportedImport, match=rf"model\..*{re.escape(SUPPORTED)}"):
        imported(tmp_path / "model.ckpt", tmp_path, Choices())

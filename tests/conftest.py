import io
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.artifacts import (
    DefectSizeRecord,
    FalseAlarmRecord,
    ModelRecord,
    ModelRepository,
    QualityRecord,
    ThresholdRecord,
    load_artifact,
    write_artifact,
)
from app.data import Folder
from app.detectors import OnePassDetector, Padim, Patchcore
from app.pipeline import Preprocessing, TiledModel, predict
from app.pipeline.parts import FeatureStitcher
from app.progress import silent
from app.scoring import calibrate_on_normal
from app.tiling import Size, Tiling
from app.training import Recipe, plan_training, train
from tests import ray_token  # noqa: F401 - it sets variables
from tests.buckets import KEY, SECRET, Bucket, S3Server, s3_server
from tests.postgresql import PostgreSQL, postgresql
from tests.trials_shortened import shorten_trials

Picture = NDArray[np.uint8]
LAYERS = ("layer1", "layer2")
SIZE = 96, 160
RECORD = ModelRecord(
    "held-out-normal",
    3,
    0.05,
    "surface",
    4,
    "random",
    picture_sizes=(SIZE,),
    metrics={"image_auroc": 0.98},
    quality=QualityRecord(
        false_alarms=FalseAlarmRecord(pictures=7, exceeded=1, low=0.004, high=0.579),
        defects=(
            DefectSizeRecord(diameter=6, tried=10, found=5),
            DefectSizeRecord(diameter=12, tried=10, found=9),
        ),
    ),
    thresholds=ThresholdRecord(
        method="gumbel", image_limits=(1.25, 2.5), pixel_limits=(0.75, 1.5), image_margin=0.125, pixel_margin=0.0625
    ),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests marked `gpu` where there is no CUDA device."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def pytest_sessionstart() -> None:
    shorten_trials()


def draw_surface(seed: int, height: int = 96, width: int = 160) -> Picture:
    """A grey surface with fine noise, [H,W,3]."""
    noise = np.random.default_rng(seed).normal(128, 6, (height, width, 3))
    return noise.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def normal_picture() -> Picture:
    """A surface that no model was trained on."""
    return draw_surface(1000)


@pytest.fixture(scope="session")
def defect_picture() -> Picture:
    """`normal_picture` with a red stain, 16 pixels high and 24 wide, whose top left corner is at (40, 100)."""
    picture = draw_surface(1000)
    picture[40:56, 100:124] = (255, 0, 0)
    return picture


@pytest.fixture(scope="session")
def defect_png(defect_picture: Picture) -> bytes:
    """`defect_picture` as a PNG file."""
    return _png(defect_picture)


@pytest.fixture(scope="session")
def normal_png(normal_picture: Picture) -> bytes:
    """`normal_picture` as a PNG file."""
    return _png(normal_picture)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository: versions 1 and 2 of `patchcore` do not resize pictures; version 1 of `padim` does."""
    repository = ModelRepository(tmp_path_factory.mktemp("models"))
    torch.manual_seed(0)
    tiling = Tiling(tile_size=64, stride=32)
    for _ in range(2):
        patchcore = Patchcore("resnet18", LAYERS, coreset_sampling_ratio=0.02, num_neighbors=1)
        write_artifact(_trained(patchcore, None, tiling), repository, "patchcore", RECORD)
    padim = Padim("resnet18", LAYERS, n_features=8)
    write_artifact(_trained(padim, (64, 96), tiling), repository, "padim", RECORD)
    return repository.root


@pytest.fixture(scope="session")
def explained_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with a PatchCore `explained`, which `train` has trained on pictures of two folders beside it.

    Its memory bank holds all patches of the pictures, so that each patch of such a picture is its own nearest one.
    """
    root = tmp_path_factory.mktemp("explained")
    for number in range(4):
        folder = root / "pictures" / ("left" if number % 2 else "right")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_surface(number)).save(folder / f"{number}.png")
    torch.manual_seed(0)
    detector = Patchcore("resnet18", LAYERS, pre_trained=False, coreset_sampling_ratio=1.0, num_neighbors=1)
    data = Folder(str(root / "pictures"), num_workers=0)
    recipe = Recipe(detector, data, Tiling(tile_size=64, stride=32), seed=0, assess=False)
    cpu = torch.device("cpu")
    train(recipe, plan_training(recipe, cpu), ModelRepository(root / "models"), "explained", cpu, silent)
    return root / "models"


@pytest.fixture(scope="session")
def teachable_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with a small PatchCore `lid`, which `train` has trained, so that it can be taught."""
    root = tmp_path_factory.mktemp("teachable")
    (root / "pictures").mkdir()
    for number in range(6):
        Image.fromarray(draw_surface(number)).save(root / f"pictures/{number}.png")
    torch.manual_seed(0)
    detector = Patchcore("resnet18", ("layer2",), pre_trained=False, coreset_sampling_ratio=0.5, num_neighbors=1)
    data = Folder(str(root / "pictures"), num_workers=0)
    recipe = Recipe(detector, data, Tiling(tile_size=64, stride=64), seed=0, assess=False)
    cpu = torch.device("cpu")
    train(recipe, plan_training(recipe, cpu), ModelRepository(root / "models"), "lid", cpu, silent)
    return root / "models"


@pytest.fixture(scope="session")
def large_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository for large pictures: tiles of 256 pixels without overlap. `resized` has one tile a picture.

    The first stages of this backbone take a fifth of the time of a ResNet's first layer.
    """
    repository = ModelRepository(tmp_path_factory.mktemp("large"))
    for name, image_size in (("patchcore", None), ("resized", (256, 256))):
        patchcore = Patchcore("efficientnet_lite0", ("stage2",), coreset_sampling_ratio=0.05, num_neighbors=1)
        write_artifact(_trained(patchcore, image_size, Tiling(tile_size=256)), repository, name, RECORD)
    return repository.root


@pytest.fixture
def tiny_model(models_dir: Path) -> TiledModel:
    """A newly loaded `patchcore` for each test: tiles of 64 pixels with a stride of 32."""
    return load_artifact(ModelRepository(models_dir).find("patchcore", 1)).model


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server, which the environment of the tests names, with credentials."""
    for package in ("s3fs", "moto", "flask"):
        pytest.importorskip(package, reason="the S3 server of the tests needs s3fs and moto[server]")
    home = tmp_path_factory.mktemp("home")  # without files of AWS
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", str(home / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> Bucket:
    """A new bucket on the server."""
    s3.requests.clear()
    s3.ranges.clear()
    return Bucket(s3, f"plant-{uuid4().hex}")


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for all tests that need one, which make databases of their own."""
    with postgresql() as server:
        yield server


def _trained(detector: OnePassDetector, image_size: Size | None, tiling: Tiling) -> TiledModel:
    model = TiledModel(detector, Preprocessing(image_size), tiling)
    pictures = [_tensor(draw_surface(seed)) for seed in range(4)]
    plan = model.prepare(pictures[0]).plan
    stride = detector.feature_strides[0]
    fitter = detector.fitter(len(pictures), (plan.y.cells(stride), plan.x.cells(stride)))
    for picture in pictures:
        stitcher = FeatureStitcher(plan)
        for features in model.outputs(model.prepare(picture), 8):
            for rows, place in stitcher.add(features):
                fitter.add(rows, *place)
    fitter.finish(lambda *_: None)
    held_out = [predict(model, _tensor(draw_surface(seed)), 8) for seed in range(10, 13)]
    peaks = [float(outcome.anomaly_map.max()) for outcome in held_out]
    calibration = calibrate_on_normal([outcome.raw_score for outcome in held_out], peaks, 0.05)
    return TiledModel(detector, Preprocessing(image_size), tiling, calibration)


def _tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1).contiguous()


def _png(picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()

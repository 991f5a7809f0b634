"""Training a detector: look at the data, refuse what cannot work, fit, calibrate on held-out pictures, write."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from app.artifacts import Entry, ModelRepository, Record, write_artifact
from app.backbones import load_weights
from app.data import DataModule, decoded, headers
from app.detectors import Detector, Progress
from app.errors import InvalidDataset
from app.pipeline import BATCH_TILES, Preprocessing, TiledModel
from app.tiling import Size, Tiling
from app.training.calibration import HoldOut, calibrate
from app.training.fitting import fit
from app.training.memory import estimated_bytes, require


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to train: a detector that is not fitted, on which pictures, tiled how."""

    detector: Detector
    data: DataModule
    tiling: Tiling
    hold_out: HoldOut = field(default_factory=HoldOut)
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What a recipe amounts to on this machine; made before any work is done."""

    fit: list[Path]
    calibrate: list[Path]
    preprocessing: Preprocessing
    grid: Size  # cells of the first feature in the largest picture
    batch_tiles: int
    needed_bytes: int


def plan_training(recipe: Recipe, device: torch.device) -> Job:
    """Reads the headers of all pictures; raises InvalidDataset, InvalidTiling or InsufficientMemory."""
    fit, calibrate = recipe.hold_out.split(recipe.data.train_pictures())
    recipe.tiling.require_multiples(recipe.detector.stride, recipe.detector.tile_multiple)
    sizes = {(header.height, header.width) for header in headers([*fit, *calibrate])}
    preprocessing = Preprocessing(recipe.data.image_size)
    if recipe.detector.image_size_is_fixed and preprocessing.image_size is None:
        if len(sizes) > 1:
            few = ", ".join(f"{height} x {width}" for height, width in sorted(sizes)[:3])
            raise InvalidDataset(
                f"{recipe.detector.name} needs pictures of one size, and these have {len(sizes)} ({few}, ...); "
                "give an image_size"
            )
        preprocessing = Preprocessing(next(iter(sizes)))
    batch_tiles = BATCH_TILES[device.type]
    model = TiledModel(recipe.detector, preprocessing, recipe.tiling, device=device)
    plans = [model.plan(*size) for size in sizes]
    stride = recipe.detector.feature_strides[0]
    grid = max(plan.y.cells(stride) for plan in plans), max(plan.x.cells(stride) for plan in plans)
    largest = max((plan.input_size for plan in plans), key=lambda size: size[0] * size[1])
    needed = estimated_bytes(recipe.detector, len(fit), grid, largest, batch_tiles)
    require(needed, device)
    return Job(fit, calibrate, preprocessing, grid, batch_tiles, needed)


def train(
    recipe: Recipe, job: Job, repository: ModelRepository, name: str, device: torch.device, progress: Progress
) -> Entry:
    """Fits, calibrates and writes the next version of `name`. Raises TesseraError of several kinds."""
    repository.next_version(name)  # refuses a bad name before the work, not after it
    source = load_weights(recipe.detector.backbone, recipe.detector.backbone_weights)
    model = TiledModel(recipe.detector, job.preprocessing, recipe.tiling, device=device)
    workers = recipe.data.num_workers
    fit(model, decoded(job.fit, workers), len(job.fit), job.grid, job.batch_tiles, progress)
    held_out = decoded(job.calibrate, workers)
    rate = recipe.hold_out.false_positive_rate
    model.calibration = calibrate(model, held_out, len(job.calibrate), rate, job.batch_tiles, progress)
    record = Record(
        protocol="held-out-normal" if job.fit != job.calibrate else "training-normal",
        calibration_pictures=len(job.calibrate),
        false_positive_rate=rate,
        dataset=recipe.data.description,
        pictures=len(job.fit),
        backbone_weights=Path(source).name if Path(source).is_file() else source,
        seed=recipe.seed,
    )
    return write_artifact(model, repository, name, record)

"""Makes the pictures and models that are served. anomalib trains the models; this program imports their checkpoints."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from app.artifacts import ModelRepository
from app.data import MVTec
from app.detectors.coreset import k_center_greedy
from app.importing import Choices, import_model
from app.tiling import Tiling
from benchmarks.kolektorsdd.anomalib import fit
from benchmarks.kolektorsdd.setting import Setting
from benchmarks.reference import anomalib_module, import_anomalib
from benchmarks.throughput.setting import ROWS, SIZE, TILE

QUERIES = 16
CHECKPOINT, MODULE, MODELS = "model.ckpt", "module.pt", "models"


def write_pictures(root: Path, work: Path) -> list[Path]:
    """Writes test pictures as PNGs of SIZE, defective and normal ones in turn, unless `work` has them."""
    tests = MVTec(str(root), "surface").test_pictures()
    halves = [[test.path for test in tests if test.anomalous is wanted] for wanted in (True, False)]
    chosen = [path for pair in zip(*halves, strict=False) for path in pair][:QUERIES]
    folder = work / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return [resized(path, folder / f"{number:02}.png") for number, path in enumerate(chosen)]


def resized(source: Path, target: Path) -> Path:
    """Writes a picture as a PNG of SIZE, unless it is there."""
    if not target.exists():
        Image.open(source).convert("RGB").resize(SIZE[::-1], Image.Resampling.BILINEAR).save(target)
    return target


def make_model(name: str, root: Path, weights: Path, work: Path) -> None:
    """Trains the model of a row and imports it to `work/<name>/models`, beside anomalib's, unless both are there."""
    row, folder = ROWS[name], work / name
    repository = ModelRepository(work / name / MODELS)
    if (folder / MODULE).exists() and any(entry.name == name for entry in repository.entries()):
        return
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    module = anomalib_module(row.detector, SIZE, weights)
    paths = [resized(path, folder / path.name) for path in MVTec(str(root), "surface").train_pictures()[: row.pictures]]
    if row.detector == "patchcore":
        _fill_bank(module, paths, row.bank)
    else:
        fit(module, Setting(SIZE, TILE, row.pictures, epochs=row.epochs, batch_pictures=2), paths, seed=0)
    module.eval()
    _tile(module)
    _calibrate(module, paths[:4])
    _save(module, folder)
    import_model(folder / CHECKPOINT, repository, name, Choices(Tiling(tile_size=TILE)))


def _tile(module: Any) -> None:
    from anomalib.data.utils.tiler import Tiler

    module.model.tiler = Tiler(TILE, TILE)


def _fill_bank(module: Any, paths: list[Path], bank: int) -> None:
    """Fills the bank as anomalib does, but with this project's coreset: anomalib's would take hours.

    Both coresets select by the same rule.
    """
    _tile(module)
    module.model.train()
    with torch.no_grad():
        for path in paths:
            module.model(_input(module, path))
    patches = torch.cat(module.model.embedding_store)
    module.model.embedding_store.clear()
    module.model.memory_bank = patches[k_center_greedy(patches, bank)].clone()
    module._is_fitted.fill_(True)


def _input(module: Any, path: Path) -> Tensor:
    from anomalib.data.utils.image import read_image

    picture: Tensor = module.pre_processor.transform(read_image(path, as_tensor=True))
    return picture[None]


def _calibrate(module: Any, paths: list[Path]) -> None:
    """Sets thresholds that are 10 % above the highest values of normal pictures."""
    with torch.no_grad():
        found = [module.model(_input(module, path)) for path in paths]
    post = module.post_processor
    for level, values in (
        ("image", [each.pred_score for each in found]),
        ("pixel", [each.anomaly_map for each in found]),
    ):
        threshold = 1.1 * max(float(value.max()) for value in values)
        setattr(post, f"_{level}_threshold", torch.tensor(threshold))
        setattr(post, f"{level}_min", torch.tensor(0.0))
        setattr(post, f"{level}_max", torch.tensor(2 * threshold))


def _save(module: Any, folder: Path) -> None:
    content = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams), "epoch": 1}
    content["pytorch-lightning_version"] = "2.6.6"
    module.on_save_checkpoint(content)
    torch.save(content, folder / CHECKPOINT)
    module.trainer = None
    torch.save(module, folder / MODULE)


def main() -> None:
    """`models.py NAME ROOT WEIGHTS WORK` runs as a process of its own, so that its memory is freed at its end."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import_anomalib()
    name, root, weights, work = sys.argv[1:]
    make_model(name, Path(root), Path(weights), Path(work))


if __name__ == "__main__":
    main()

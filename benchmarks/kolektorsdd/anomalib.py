"""Trains with anomalib's engine, tests with its model, and prints the figures as JSON."""

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file

from app.training.gradient import epoch_order
from benchmarks.kolektorsdd.measuring import Stopwatch, aurocs
from benchmarks.kolektorsdd.setting import CORESET_RATIO, SETTINGS, Setting, testing_pictures, training_pictures
from benchmarks.reference import anomalib_module, import_anomalib

OPTIONS = {"patchcore": {"coreset_sampling_ratio": CORESET_RATIO, "num_neighbors": 9}}


def main(name: str, root: Path, weights: Path, start: Path, seed: int) -> dict[str, object]:
    """Returns the figures, and writes the random initial tensors to `start`, under this program's names."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import_anomalib()
    from anomalib.data.utils.image import read_image

    torch.manual_seed(seed)
    model = anomalib_module(name, SETTINGS[name].size, weights, **OPTIONS.get(name, {}))
    save_file(_start(name, model.model), start)
    watch = Stopwatch()
    fit(model, SETTINGS[name], training_pictures(root, name), seed)
    figures: dict[str, object] = {**watch.read("fit")}
    watch, tests, scores, maps = Stopwatch(), testing_pictures(root), [], []
    model.eval()
    for test in tests:
        with torch.no_grad():
            found = model.model(model.pre_processor.transform(read_image(test.path, as_tensor=True))[None])
        scores.append(float(found.pred_score.flatten()[0]))
        maps.append(found.anomaly_map[0, 0].numpy())
    return {**figures, **watch.read("test"), **aurocs(tests, scores, maps, SETTINGS[name].size)}


def _start(name: str, model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The random initial tensors of the detector, under this program's names."""
    state = model.state_dict()
    if name == "padim":
        return {"idx": state["idx"]}
    renamed = {key.replace("student_model.feature_extractor.", "student."): tensor for key, tensor in state.items()}
    own = ("student.", "bottleneck.", "decoder.")
    unused = ("bottleneck.conv4", "bottleneck.bn4")
    return {
        key: tensor.clone() for key, tensor in renamed.items() if key.startswith(own) and not key.startswith(unused)
    }


class _Orders:
    """A sampler with this program's order of pictures in each epoch."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed, self._epoch = count, seed, 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        self._epoch += 1
        return iter(epoch_order(self._count, self._seed, self._epoch - 1))


def fit(model: Any, setting: Setting, paths: list[Path], seed: int) -> None:
    """Trains with anomalib's engine on tiles of these pictures; the seed decides the order of the pictures."""
    from anomalib.callbacks import TilerConfigurationCallback
    from anomalib.data import Folder
    from anomalib.engine import Engine
    from torch.utils.data import DataLoader

    batch = setting.batch_pictures if setting.epochs > 1 else 1
    with TemporaryDirectory() as folder:
        normal = Path(folder) / "normal"
        normal.mkdir()
        for path in paths:
            (normal / path.name).symlink_to(path.resolve())
        data = Folder(
            "surface", normal, train_batch_size=batch, num_workers=0, val_split_mode="none", test_split_mode="none"
        )
        data.train_dataloader = lambda: DataLoader(
            data.train_data, batch, sampler=_Orders(len(paths), seed), collate_fn=data.train_data.collate_fn
        )
        tiler = TilerConfigurationCallback(enable=True, tile_size=setting.tile, stride=setting.tile)
        engine = Engine(
            callbacks=[tiler],
            max_epochs=setting.epochs,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            default_root_dir=folder,
        )
        with Path(os.devnull).open("w") as quiet:
            stdout, sys.stdout = sys.stdout, quiet
            engine.fit(model=model, datamodule=data)
            sys.stdout = stdout


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))))

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.artifacts import ModelRepository, read_manifest
from app.data import Folder
from app.drift import WHOLE
from app.tiling import Tiling
from app.training.options import TrainerOptions
from app.training.plan import Recipe, plan_training
from app.training.trainer import train
from tests.building import build_detector

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "maps"), [("patchcore", 10), ("stfpm", None)])
def test_a_training_records_its_pictures(name: str, maps: int | None, tmp_path: Path) -> None:
    """Held-out pictures for maps: all by cross-conformal, and a fifth by a hold-out, which are too few of 10."""
    random = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(10):
        Image.fromarray(random.integers(0, 255, (64, 96, 3), np.uint8)).save(folder / f"{number}.png")
    options: dict[str, Any] = {"layers": ("layer2",)} if name == "patchcore" else {}
    detector = build_detector(name, pre_trained=False, **options)
    data = Folder(str(folder), num_workers=0)
    recipe = Recipe(detector, data, Tiling(tile_size=32), seed=0, trainer=TrainerOptions(max_epochs=1), assess=False)
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(tmp_path / "m"), "x", CPU, lambda *_, **__: None)
    camera = read_manifest(entry.path).camera
    assert camera is not None
    assert camera.grid == (2, 3)
    assert camera.streams["brightness@1,2"].pictures == (10 if maps else 8)
    assert {"score", "level"} <= WHOLE.keys()
    assert ("score" in camera.streams, "level@1,2" in camera.streams) == (maps is not None, maps is not None)

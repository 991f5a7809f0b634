from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.data import LabelledPicture, MVTec
from tests.conftest import draw_surface

SIZE = (96, 160)
STAINS = {"stain": (40, 56, 100, 124), "hole": (8, 20, 16, 30), "scratch": (70, 74, 30, 90)}


@pytest.fixture(scope="session")
def artifact(models_dir: Path) -> Artifact:
    return load_artifact(ModelRepository(models_dir).find("patchcore", 1))


@pytest.fixture
def tiny_artifact(models_dir: Path) -> Artifact:
    """A new artifact for each test, which may change it."""
    return load_artifact(ModelRepository(models_dir).find("patchcore", 1))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of MVTec: 4 good pictures, 3 with stains and 2 with holes, with masks, and 2 scratches without."""
    root = tmp_path_factory.mktemp("data")
    for number in range(4):
        save(root / f"steel/test/good/{number}.png", draw_surface(100 + number))
    for kind, count in {"stain": 3, "hole": 2, "scratch": 2}.items():
        top, bottom, left, right = STAINS[kind]
        for number in range(count):
            picture, mask = draw_surface(200 + number), np.zeros(SIZE, np.uint8)
            picture[top:bottom, left:right] = (255, 0, 0) if kind != "hole" else (110, 120, 130)
            mask[top:bottom, left:right] = 255
            save(root / f"steel/test/{kind}/{number}.png", picture)
            if kind != "scratch":
                save(root / f"steel/ground_truth/{kind}/{number}_mask.png", mask)
    return root


@pytest.fixture(scope="session")
def pictures(dataset: Path) -> list[LabelledPicture]:
    return MVTec(str(dataset), "steel").test_pictures()


def save(path: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path

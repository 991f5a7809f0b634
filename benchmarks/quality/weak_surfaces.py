"""Draws a data set of the demo's surface, a surface with structure, with defects that are hard to see."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scripts.demo.defects import DEFECTS
from scripts.demo.surface import defective_surface, normal_surface

SIZE = 512, 512
LEAST, MOST = 0.08, 0.4  # the strength of a defect, as a share of that in the demo's pictures
TRAIN, NORMAL, DEFECTIVE = range(3)  # part of a picture's seed, so that the splits have different pictures


def write_weak_surfaces(root: Path, train: int, test: int, seed: int = 7) -> Path:
    """Writes `root/weak_surface` in MVTec AD's layout: `train` and `test` normal pictures, `test` defective ones."""
    folder = root / "weak_surface"
    for split, count, place in ((TRAIN, train, "train/good"), (NORMAL, test, "test/good")):
        for number in range(count):
            _save(folder / place / f"{number:03d}.png", normal_surface(_generator(seed, split, number), SIZE))
    for number in range(test):
        kind = tuple(DEFECTS)[number % len(DEFECTS)]
        picture, mask = _weak(seed, number, kind)
        _save(folder / "test" / kind / f"{number:03d}.png", picture)
        _save(folder / "ground_truth" / kind / f"{number:03d}_mask.png", mask.astype(np.uint8) * 255)
    return folder


def _weak(seed: int, number: int, kind: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture with one defect that is faded towards the same picture without it; and the defect's mask."""
    normal = normal_surface(_generator(seed, DEFECTIVE, number), SIZE).astype(np.float64)
    marked, mask = defective_surface(_generator(seed, DEFECTIVE, number), SIZE, [kind])
    strength = np.exp(np.random.default_rng([seed, number]).uniform(np.log(LEAST), np.log(MOST)))
    return (normal + strength * (marked - normal) + 0.5).astype(np.uint8), mask


def _generator(seed: int, split: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, split, number])


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)

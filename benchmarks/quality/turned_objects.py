"""Draws a data set of an object that lies turned at random: cog wheels with holes, and defects of four kinds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SIZE = 384
TEETH, HOLES = 11, 3
RADIUS, BORE = 128.0, 34.0  # pixels
Plane = NDArray[np.float64]
Mask = NDArray[np.bool_]
TRAIN, NORMAL, DEFECTIVE = range(3)  # part of a picture's seed, so that the splits have different pictures


def write_objects(root: Path, train: int, test: int, seed: int = 0) -> Path:
    """Writes `root/object` in MVTec AD's layout: `train` and `test` normal pictures, and `test` defective ones."""
    folder = root / "object"
    for split, count, place in ((TRAIN, train, "train/good"), (NORMAL, test, "test/good")):
        for number in range(count):
            _save(folder / place / f"{number:03d}.png", _draw(np.random.default_rng([seed, split, number]))[0])
    for number in range(test):
        kind = tuple(DEFECTS)[number % len(DEFECTS)]
        picture, mask = _draw(np.random.default_rng([seed, DEFECTIVE, number]), DEFECTS[kind])
        _save(folder / "test" / kind / f"{number:03d}.png", picture)
        _save(folder / "ground_truth" / kind / f"{number:03d}_mask.png", mask * 255.0)
    return folder


def _draw(rng: np.random.Generator, defect: "Defect | None" = None) -> tuple[Plane, Mask]:
    """A picture [s,s] of values from 0 to 255, and the mask of its defect."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE / 2 + rng.uniform(-12, 12, 2))[:, None, None]
    angle = np.arctan2(y, x) - rng.uniform(0, 2 * np.pi)
    radius = np.hypot(y, x)
    inside = _wheel(radius, angle)
    changed, mask = defect(rng, radius, angle, inside) if defect else (inside, np.zeros(inside.shape, bool))
    metal = 150 + 14 * np.sin(radius * 0.9) + 9 * _noise(rng, 1.2)
    ground = 60 + 8 * _noise(rng, 6.0) + 4 * _noise(rng, 1.0)
    light = 1 + 0.12 * (np.cos(rng.uniform(0, 2 * np.pi)) * y + np.sin(rng.uniform(0, 2 * np.pi)) * x) / SIZE
    alpha = ndimage.gaussian_filter(np.clip(changed, 0, 1), 0.8)
    marks = np.where(changed > 1, changed - 1, 0) + np.where(changed < 0, changed, 0)
    return (ground + alpha * (metal - ground)) * light + 60 * ndimage.gaussian_filter(marks, 0.6), mask


def _wheel(radius: Plane, angle: Plane) -> Plane:
    """1 in the wheel, 0 outside."""
    edge = RADIUS + 12 * np.tanh(4 * np.sin(TEETH * angle))
    holes = np.zeros(radius.shape, bool)
    for number in range(HOLES):
        turn = 2 * np.pi * number / HOLES
        holes |= np.hypot(radius * np.cos(angle) - 78 * np.cos(turn), radius * np.sin(angle) - 78 * np.sin(turn)) < 18
    wheel: Plane = ((radius < edge) & (radius > BORE) & ~holes).astype(np.float64)
    return wheel


Defect = Callable[[np.random.Generator, Plane, Plane, Plane], tuple[Plane, Mask]]


def _spot(rng: np.random.Generator, radius: Plane, angle: Plane, least: float, most: float) -> Mask:
    """A disc on the metal, with a radius of `least` to `most` pixels."""
    away, turn = rng.uniform(BORE + 12, RADIUS - 22), rng.uniform(0, 2 * np.pi)
    y, x = radius * np.sin(angle) - away * np.sin(turn), radius * np.cos(angle) - away * np.cos(turn)
    spot: Mask = np.hypot(y, x) < rng.uniform(least, most)
    return spot


def _broken_tooth(rng: np.random.Generator, radius: Plane, angle: Plane, inside: Plane) -> tuple[Plane, Mask]:
    turn = 2 * np.pi * (rng.integers(TEETH) + 0.25) / TEETH
    mask = (np.abs(np.angle(np.exp(1j * (angle - turn)))) < 0.2) & (radius > RADIUS - 8) & (inside > 0)
    return np.where(mask, 0.0, inside), mask


def _closed_hole(rng: np.random.Generator, radius: Plane, angle: Plane, inside: Plane) -> tuple[Plane, Mask]:
    turn = 2 * np.pi * rng.integers(HOLES) / HOLES
    y, x = radius * np.sin(angle) - 78 * np.sin(turn), radius * np.cos(angle) - 78 * np.cos(turn)
    mask = (np.hypot(y, x) < 20) & (inside < 1)
    return np.where(mask, 1.0, inside), mask


def _scratch(rng: np.random.Generator, radius: Plane, angle: Plane, inside: Plane) -> tuple[Plane, Mask]:
    turn, offset = rng.uniform(0, np.pi), rng.uniform(-60, 60)
    across = radius * np.sin(angle - turn) - offset + 6 * np.sin(radius / 15)
    along = radius * np.cos(angle - turn)
    start = rng.uniform(-60, 20)
    mask = (np.abs(across) < rng.uniform(0.8, 2.0)) & (along > start) & (along < start + 50) & (inside > 0)
    return np.where(mask, 1 + rng.uniform(0.4, 1.0), inside), mask


def _stain(rng: np.random.Generator, radius: Plane, angle: Plane, inside: Plane) -> tuple[Plane, Mask]:
    mask = _spot(rng, radius, angle, 3, 10) & (inside > 0)
    return np.where(mask, 1 + rng.uniform(0.2, 0.6), inside), mask


DEFECTS: dict[str, Defect] = {
    "broken_tooth": _broken_tooth,
    "closed_hole": _closed_hole,
    "scratch": _scratch,
    "stain": _stain,
}


def _noise(rng: np.random.Generator, sigma: float) -> Plane:
    """Smooth noise [s,s] of standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), sigma)
    scaled: Plane = noise / noise.std()
    return scaled


def _save(path: Path, plane: NDArray[np.floating]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(plane, 0, 255).astype(np.uint8)).save(path)

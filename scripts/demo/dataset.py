"""Writes pictures of the demo's surface as a category in MVTec's layout.

    python -m scripts.demo.dataset ROOT --train 40 --test 20 --size 1024 1024 --seed 0

makes `ROOT/surface/train/good`, `test/good`, `test/<kind>` and `ground_truth/<kind>/<name>_mask.png` (0 / 255). Each
picture has its own random generator, so that its content depends only on the seed, the split and the picture's index.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from scripts.demo.defects import DEFECTS
from scripts.demo.surface import Pixels, defective_surface, normal_surface

TRAIN, TEST, DEFECTIVE = range(3)  # part of a picture's seed, so that the splits have different pictures


@dataclass(frozen=True, slots=True)
class Plan:
    """The numbers and the size of the pictures."""

    train: int  # normal training pictures
    test: int  # normal test pictures, and as many defective ones, divided among the kinds of defects
    size: tuple[int, int] = (1024, 1024)  # (height, width)
    seed: int = 0


def write_dataset(root: Path, plan: Plan, category: str = "surface") -> Path:
    """Fills the folder `root/category`, the training pictures first, and returns it."""
    folder = root / category
    steps = chain(_write_normal(folder / "train", plan, TRAIN), _write_normal(folder / "test", plan, TEST))
    for _ in track(
        chain(steps, _write_defective(folder, plan)), "Drawing", total=plan.train + 2 * plan.test, transient=True
    ):
        pass
    return folder


def _write_normal(folder: Path, plan: Plan, split: int) -> Iterator[Path]:
    for index in range(plan.train if split == TRAIN else plan.test):
        yield _write(folder / "good" / f"{index:03d}.png", normal_surface(_generator(plan, split, index), plan.size))


def _write_defective(folder: Path, plan: Plan) -> Iterator[Path]:
    """Pictures with one to three defects of one kind, the kinds in turn, and their masks."""
    for index in range(plan.test):
        kind = tuple(DEFECTS)[index % len(DEFECTS)]
        name = f"{index // len(DEFECTS):03d}"
        rng = _generator(plan, DEFECTIVE, index)
        picture, mask = defective_surface(rng, plan.size, [kind] * (1 + index // len(DEFECTS) % 3))
        _write(folder / "ground_truth" / kind / f"{name}_mask.png", mask.astype(np.uint8) * 255)
        yield _write(folder / "test" / kind / f"{name}.png", picture)


def _generator(plan: Plan, split: int, index: int) -> np.random.Generator:
    return np.random.default_rng([plan.seed, split, index])


def _write(path: Path, pixels: Pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=3)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.demo.dataset", description="Draws the demo's data set.")
    parser.add_argument("root", type=Path, help="the folder to write to")
    parser.add_argument("--category", default="surface", help="the category's name (default: %(default)s)")
    parser.add_argument("--train", type=int, default=40, help="normal pictures to train on (default: %(default)s)")
    parser.add_argument(
        "--test", type=int, default=20, help="normal, and defective, test pictures (default: %(default)s)"
    )
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    height, width = given.size
    print(write_dataset(given.root, Plan(given.train, given.test, (height, width), given.seed), given.category))


if __name__ == "__main__":
    main()

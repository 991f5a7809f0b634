"""Draws the two example pictures.

    python -m scripts.demo.examples examples

writes `examples/normal.png` and `examples/defect.png`. Their seed is used for no other picture.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.demo.defects import Masks
from scripts.demo.surface import Pixels, defective_surface, normal_surface

SEED = 20_261_123
SIZE = (1024, 1024)


def write_examples(folder: Path) -> list[Path]:
    """Writes the normal and the defective picture, and returns their paths."""
    defect, _ = draw_defect()
    return [_write(folder / "normal.png", draw_normal()), _write(folder / "defect.png", defect)]


def draw_normal() -> Pixels:
    return normal_surface(np.random.default_rng([SEED, 0]), SIZE)


def draw_defect() -> tuple[Pixels, Masks]:
    """The defective picture, and the mask of its three defects."""
    return defective_surface(np.random.default_rng([SEED, 1]), SIZE, ("scratch", "pit", "stain"))


def _write(path: Path, pixels: Pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, optimize=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.demo.examples", description="Draws the example pictures.")
    parser.add_argument("folder", type=Path)
    for path in write_examples(parser.parse_args().folder):
        print(path)


if __name__ == "__main__":
    main()

"""Builds the demo: pictures, the served model and the examples.

    python -m scripts.demo.build --models_dir models --examples examples

Nothing is downloaded: the pictures are drawn, and a tiled PatchCore with the backbone that comes with the program is
fitted to them. Takes a few minutes on two cores.
"""

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from app.cli import main as tessera
from scripts.demo.dataset import Plan, write_dataset
from scripts.demo.examples import write_examples

NAME = "demo"
CATEGORY = "surface"
PLAN = Plan(train=50, test=0)  # 40 to fit to, 10 to calibrate on
CORESET = 0.005  # of 128 x 128 patches a picture: 3,276 patches, 5 MB
LIMIT_BYTES = 25_000_000


def build(models_dir: Path, examples: Path) -> Path:
    """Writes the examples, and the model as version 1, replacing an existing version 1. Returns the model's folder."""
    write_examples(examples)
    with TemporaryDirectory() as temporary:
        work = Path(temporary)
        write_dataset(work, PLAN, CATEGORY)
        train_detector(work, work / "models")
        return _replace(work / "models" / NAME / "1", models_dir / NAME / "1")


def train_detector(root: Path, models_dir: Path) -> None:
    """Writes version 1 of the model to `models_dir`: `tessera train` of a tiled PatchCore on the category in `root`."""
    options = {
        "--model": "Patchcore",
        "--model.coreset_sampling_ratio": CORESET,
        "--data": "MVTec",
        "--data.root": root,
        "--data.category": CATEGORY,
        "--tiling.tile_size": 256,
        "--tiling.stride": 128,
        "--name": NAME,
        "--models_dir": models_dir,
        "--seed_everything": 0,
    }
    if tessera(["train", *(str(part) for option in options.items() for part in option)]) != 0:
        raise SystemExit("the model could not be trained")


def _replace(built: Path, place: Path) -> Path:
    size = sum(path.stat().st_size for path in built.iterdir())
    if size > LIMIT_BYTES:
        raise SystemExit(f"the model takes {size:,} bytes, more than {LIMIT_BYTES:,}")
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(built, place))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.demo.build", description="Builds the demo.")
    parser.add_argument("--models_dir", type=Path, default=Path("models"))
    parser.add_argument("--examples", type=Path, default=Path("examples"))
    given = parser.parse_args()
    print(build(given.models_dir, given.examples))


if __name__ == "__main__":
    main()

"""How long teaching takes, by stage, with 100 reviewed pictures of one tile and with 10 of the demo's size.

    OMP_WAIT_POLICY=PASSIVE python -m benchmarks.teaching_time

The models are trained on 40 of the demo's drawn surfaces without defects, and taught with others, all harmless.
`network` is the time until all pictures were read and their features computed, stored and added; `update` that of
fitting the state, and `thresholds` that of judging each picture by a model without it. PaDiM sees pictures of 256 x 256
pixels only: at the demo's size, its matrices take 2.6 GB.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from app.artifacts import Entry, ModelRepository
from app.detectors import Detector, Padim, Patchcore, Subspace
from app.progress import silent
from app.reviews import ReviewedPicture, ReviewLabel
from app.teaching.learning import learn
from app.training import DEFAULT_TILING, Recipe, plan_training, train
from app.trainings.sent import SentPictures
from benchmarks.hardware import write
from scripts.demo.surface import normal_surface

CPU = torch.device("cpu")
TRAINED = 40
SIZES = {256: 100, 1024: 10}
"""The numbers of reviewed pictures by their edge in pixels."""


@dataclass(slots=True)
class Stages:
    """The seconds between the last reports of stages."""

    seconds: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=perf_counter)

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """See Progress."""
        now = perf_counter()
        name = {"pictures": "network", "thresholds": "thresholds"}.get(stage, "update")
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


def main() -> None:
    found: dict[str, object] = {}
    for edge, count in SIZES.items():
        for detector in (Patchcore(coreset_sampling_ratio=0.01), Subspace(), *([Padim()] if edge == 256 else [])):
            name = f"{detector.name}, {count} pictures of {edge} x {edge}"
            found[name] = _taught(detector, edge, count)
            print(name, found[name], flush=True)
    write("teaching-time", {"trained_on": TRAINED, "seconds": found})


def _taught(detector: Detector, edge: int, count: int) -> dict[str, float]:
    root = Path(tempfile.mkdtemp())
    try:
        entry = _trained(detector, edge, root)
        reviewed = [_reviewed(TRAINED + number, edge) for number in range(count)]
        stages = Stages()
        learned = learn(entry, reviewed, progress=stages)
        started = perf_counter()
        learned.write(ModelRepository(root / "models"))
        seconds = stages.seconds | {"all": learned.seconds, "write": perf_counter() - started}
        return {name: round(value, 2) for name, value in seconds.items()}
    finally:
        shutil.rmtree(root)


def _reviewed(number: int, edge: int) -> ReviewedPicture:
    """A drawn picture in memory, so that drawing takes no time of teaching."""
    picture = torch.from_numpy(_drawn(number, edge)).permute(2, 0, 1).contiguous()
    return ReviewedPicture(str(number), f"{number:016x}", ReviewLabel.harmless, (), lambda: picture)


def _drawn(number: int, edge: int) -> NDArray[np.uint8]:
    return normal_surface(np.random.default_rng([31, number]), (edge, edge))


def _trained(detector: Detector, edge: int, root: Path) -> Entry:
    paths = [root / f"{number:03}.png" for number in range(TRAINED)]
    for number, path in enumerate(paths):
        Image.fromarray(_drawn(number, edge)).save(path)
    size = (edge, edge) if detector.image_size_is_fixed else None
    data = SentPictures(paths)
    data.image_size = size
    recipe = Recipe(detector, data, DEFAULT_TILING, seed=0, assess=False)
    return train(recipe, plan_training(recipe, CPU), ModelRepository(root / "models"), "surface", CPU, silent)


if __name__ == "__main__":
    main()

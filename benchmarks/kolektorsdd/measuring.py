"""Figures that are measured in the same way for both programs."""

import resource
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.data import LabelledPicture
from app.scoring import auroc
from app.tiling import Size


class Stopwatch:
    """Wall-clock and processor seconds since its creation, and the peak memory of the process so far."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = perf_counter(), _cpu_s()

    def read(self, prefix: str) -> dict[str, float]:
        """The figures, under names that begin with `prefix`."""
        return {
            f"{prefix}_wall_s": round(perf_counter() - self._wall_s, 1),
            f"{prefix}_cpu_s": round(_cpu_s() - self._cpu_s, 1),
            f"{prefix}_peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        }


def _cpu_s() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def aurocs(
    tests: Iterable[LabelledPicture], scores: list[float], maps: list[NDArray[np.float32]], size: Size
) -> dict[str, float]:
    """Exact AUROC over all pictures, and over all pixels of their maps, which have the size `size`."""
    tests = list(tests)
    masks = np.stack([_mask(test.mask, size) for test in tests])
    return {
        "test_pictures": len(tests),
        "image_auroc": round(auroc(scores, [test.anomalous for test in tests]), 4),
        "pixel_auroc": round(auroc(np.stack(maps), masks), 4),
    }


def _mask(path: Path | None, size: Size) -> NDArray[np.bool_]:
    if path is None:
        return np.zeros(size, dtype=bool)
    with Image.open(path) as mask:
        return np.asarray(mask.convert("L").resize(size[::-1], Image.Resampling.NEAREST)) > 127

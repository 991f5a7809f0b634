"""Pictures whose right answers are known, because they were predicted in a straight line before, without a server."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from app.artifacts import ModelRepository, load_artifact, read_manifest
from app.decoding import decode
from app.pipeline import Outcome, interpret, predict
from app.scoring import Calibration
from app.tiling import Size
from benchmarks.torture.samples import encoded
from tests.conftest import draw_surface

MAX_PIXELS = 2**26
TOLERANCE = 0.002
"""The largest difference of scores: a server may choose other kernels, whose sums are rounded differently."""
_SIZES: tuple[tuple[Size, str, dict[str, object]], ...] = (
    ((64, 96), "PNG", {}),
    ((96, 160), "JPEG", {"quality": 90}),
    ((256, 256), "PNG", {}),
    ((240, 331), "WEBP", {"quality": 80}),
    ((300, 420), "TIFF", {"compression": "tiff_lzw"}),
    ((33, 900), "BMP", {}),
    ((700, 41), "AVIF", {"quality": 70}),
    ((512, 512), "JPEG", {"progressive": True}),
    ((130, 200), "PNG-16", {}),
    ((700, 800), "PNG", {}),
)
_WEIGHTS = (6, 6, 4, 4, 2, 3, 3, 1, 6, 1)
"""How often each picture is drawn: small ones more often, so that many requests are seen."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A file; `pixels` are [H,W,3] for /v2, None for a picture of 16 bits. `weight`: how often it is drawn."""

    data: bytes
    size: Size
    weight: int
    pixels: torch.Tensor | None


class Known:
    """The pictures of up to `most_pixels`, and what each version of each model must answer."""

    def __init__(self, models: ModelRepository, most_pixels: int = MAX_PIXELS) -> None:
        self.pictures = [each for each in _pictures() if each.size[0] * each.size[1] <= most_pixels]
        self._outcomes: dict[str, list[Outcome]] = {}
        self._versions: dict[tuple[str, int], list[tuple[float, str]]] = {}
        for name in models.names():
            model = load_artifact(models.find(name)).model
            self._outcomes[name] = [predict(model, decode(each.data, max_pixels=MAX_PIXELS)) for each in self.pictures]
            for entry in models.scan(name):
                self.expect(name, entry.version, read_manifest(entry.path).calibration.build())

    @property
    def names(self) -> list[str]:
        return list(self._outcomes)

    def expect(self, name: str, version: int, calibration: Calibration) -> None:
        """Knows the answers of another version, which differs from the others in its calibration only."""
        found = (interpret(outcome, calibration) for outcome in self._outcomes[name])
        self._versions[name, version] = [(each.score, each.label.value) for each in found]

    def wrong(self, name: str, version: int, number: int, score: float, label: str) -> str:
        """What is wrong with an answer for a picture; empty: nothing."""
        expected = self._versions.get((name, version))
        if expected is None:
            return f"version {version} of {name} is not known"
        right, verdict = expected[number]
        if abs(score - right) > TOLERANCE:
            return f"{name} {version}, picture {number}: score {score} instead of {right}"
        if label != verdict and abs(right - 0.5) > TOLERANCE:
            return f"{name} {version}, picture {number}: {label} instead of {verdict}"
        return ""

    def peak(self, name: str, number: int) -> float:
        """The highest value of the raw map of a picture."""
        return float(self._outcomes[name][number].anomaly_map.max())


def _pictures() -> Iterator[Picture]:
    rng = np.random.default_rng(0)
    for seed, ((size, kind, options), weight) in enumerate(zip(_SIZES, _WEIGHTS, strict=True)):
        drawn = draw_surface(seed, *size)
        height, width = size[0] // 4 + 1, size[1] // 5 + 1
        top, left = rng.integers(0, size[0] - height), rng.integers(0, size[1] - width)
        drawn[top : top + height, left : left + width] = rng.integers(0, 255, 3)
        if kind == "PNG-16":
            deep = drawn[..., 1].astype(np.uint16) * 257
            yield Picture(encoded(Image.fromarray(deep), "PNG"), size, weight, None)
            continue
        data = encoded(Image.fromarray(drawn), kind, **options)
        yield Picture(data, size, weight, decode(data, max_pixels=MAX_PIXELS).permute(1, 2, 0).contiguous())

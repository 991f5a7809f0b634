"""What a search can try: detectors on backbones, with tilings of pictures at several scales."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from itertools import product

from app.detectors import Fusion, OnePassDetector, Padim, Patchcore, Subspace
from app.errors import InvalidParameter
from app.scoring import ScoreRule
from app.tiling import Tiling
from app.training import DEFAULT_TILING
from app.training.selection import Candidate

DETECTORS: Mapping[str, Callable[..., OnePassDetector]] = {
    "Subspace": partial(Subspace, score=ScoreRule.map),
    "PatchCore": partial(Patchcore, score=ScoreRule.map),
    "whitened PatchCore": partial(Patchcore, whitening=True, score=ScoreRule.map),
    "Fusion": partial(Fusion, score=ScoreRule.map),
    "PaDiM": Padim,
}
"""The detectors by their names. They score pictures by the largest value of the map, which finds the smallest marks."""

BACKBONES = "resnet18", "efficientnet_lite0"
"""The backbones whose weights are installed with the program."""


@dataclass(frozen=True, slots=True)
class Space:
    """What to combine.

    detectors, backbones: keys of DETECTORS, and names of backbones
    tile_sizes: the edges of tiles in pixels
    overlaps: the shares of a tile that the next one shows again, 0 or more and less than 1
    halos: the context around each tile in pixels
    scales: the factors by which the edges of pictures are made smaller before they are tiled, more than 0 and at most 1
    """

    detectors: tuple[str, ...] = tuple(DETECTORS)
    backbones: tuple[str, ...] = BACKBONES
    tile_sizes: tuple[int, ...] = (128, 256, 512)
    overlaps: tuple[float, ...] = (0.0, 0.5)
    halos: tuple[int, ...] = (0, 32)
    scales: tuple[float, ...] = (1.0, 0.5)

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InvalidParameter(f"{name} is {list(values)}; give one or more different values")
        unknown = [name for name in self.detectors if name not in DETECTORS]
        if unknown:
            raise InvalidParameter(f"detectors names {'; '.join(unknown)}; use {'; '.join(DETECTORS)}")
        for overlap in self.overlaps:
            if not 0 <= overlap < 1:
                raise InvalidParameter(f"overlaps has {overlap:g}; use shares of a tile, 0 or more and less than 1")
        for scale in self.scales:
            if not 0 < scale <= 1:
                raise InvalidParameter(f"scales has {scale:g}; use factors of more than 0 and at most 1")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A detector on a backbone, the scale of pictures, and their tiling."""

    candidate: Candidate
    tiling: Tiling
    scale: float = 1.0

    @property
    def name(self) -> str:
        """What the configuration is, for people; no two of a space have the same."""
        tile, stride = (f"{size[0]}" for size in (self.tiling.tile_size, self.tiling.stride))
        halo = f", halo {self.tiling.halo}" if self.tiling.halo else ""
        scale = f", scale {self.scale:g}" if self.scale < 1 else ""
        return f"{self.candidate.name}, tiles {tile}, stride {stride}{halo}{scale}"


def configurations(space: Space) -> list[Configuration]:
    """Every combination; the first ones have each detector, tiling and scale about equally often.

    Raises InvalidTiling.
    """
    candidates = [
        Candidate(f"{name} {backbone}", partial(DETECTORS[name], backbone=backbone))
        for backbone, name in product(space.backbones, space.detectors)
    ]
    layouts = [(tiling, scale) for tiling in _tilings(space) for scale in sorted(space.scales, reverse=True)]
    # Along diagonals of the table of both: any few in a row differ in both.
    return [
        Configuration(candidates[column], *layouts[(column + shift) % len(layouts)])
        for shift in range(len(layouts))
        for column in range(len(candidates))
    ]


def _tilings(space: Space) -> list[Tiling]:
    """The tilings, the default one of new models first if it is among them."""
    found = [
        Tiling(
            tile_size=tile,
            stride=round(tile * (1 - overlap)),
            halo=halo,
            mode=DEFAULT_TILING.mode,
            padding_fill=DEFAULT_TILING.padding_fill,
        )
        for tile, overlap, halo in product(space.tile_sizes, space.overlaps, space.halos)
    ]
    return sorted(dict.fromkeys(found), key=lambda tiling: tiling != DEFAULT_TILING)

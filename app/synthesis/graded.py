"""Draws marks of a stated size and contrast into real pictures, as light would blend them.

A mark multiplies pixels: a shadow takes a share of the light, whatever the surface. Trainings use those of `defects`,
which are relative to the variation of the surface, so that they compare detectors on any surface.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from app.synthesis.defects import Place
from app.synthesis.fields import TAU, uniform
from app.synthesis.marks import distance_to_path

HALF = 0.5
"""The opacity from which a pixel belongs to the mask, and at which sizes are measured."""

LENGTH, LEAST_LENGTH = 6, 24  # of a scratch: as a multiple of its width, and in pixels
SOFT_EDGE = 8  # pixels of the edge of a soft scratch, which is not narrower than this: see docs/certificate.md
PRINT_SHARE = 0.9  # the quantile of the change in a patch without print that is its contrast


@dataclass(frozen=True, slots=True)
class Mark:
    """What to draw.

    kind: a key of MARK_KINDS
    size: in pixels between the places of half opacity, at least the kind's `least`: the width of a scratch, otherwise
        the diameter
    contrast: the largest change of a pixel as a share of its value, above 0 and at most 1; for missing print the
        change that nine tenths of the patch's pixels do not exceed
    """

    kind: str
    size: int
    contrast: float

    @property
    def edge(self) -> int:
        """The edge in pixels of the square that the mark changes."""
        return MARK_KINDS[self.kind].edge(self.size)


def draw_mark(picture: Tensor, mark: Mark, place: Place, generator: Generator) -> Tensor | None:
    """Draws the mark into a picture [C,H,W] uint8 or uint16, and returns its mask [d,d] bool, d = mark.edge.

    `place` is the (top, left) corner of the square; the square lies within the picture. None: nothing was drawn,
    because the mark takes away print, and the print there has less than the contrast.
    """
    (top, left), edge, kind = place, mark.edge, MARK_KINDS[mark.kind]
    square = picture[:, top : top + edge, left : left + edge]
    before = square.to(torch.float32)
    opacity, profile = kind.shape(mark.size, generator)
    mask = opacity >= HALF
    white = float(torch.iinfo(picture.dtype).max)
    factor = kind.factor(_around(picture, place, edge), before, profile, mask, mark.contrast, white, generator)
    if factor is None:
        return None
    square.copy_((before * (1.0 + factor)).round_().clamp_(0, white).to(picture.dtype))
    return mask


Shape = Callable[[int, Generator], tuple[Tensor, Tensor]]
"""The opacity [d,d] in [0, 1], and the profile [d,d] of the change, whose largest magnitude is 1, of a size."""

Factor = Callable[[Tensor, Tensor, Tensor, Tensor, float, float, Generator], Tensor | None]
"""The relative change [C,d,d] of pixels, from the surroundings [C,h,w], the pixels [C,d,d], the profile [d,d], the mask
[d,d], the contrast, the largest value of a pixel, and a generator.
"""


@dataclass(frozen=True, slots=True)
class MarkKind:
    """A kind of mark: the edge of its square in pixels by its size, its shape, its change of pixels, its least size."""

    edge: Callable[[int], int]
    shape: Shape
    factor: Factor
    least: int = 1


def _scratch(size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    return _line(size, 1, generator)


def _soft_scratch(size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    return _line(size, SOFT_EDGE, generator)


def _line(size: int, rim: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A bent line whose opacity rises from 0 to 1 over `rim` pixels at each side, at most its width."""
    edge = _scratch_edge(size)
    angle, bend = float(uniform(1, 0.0, TAU, generator)), float(uniform(1, -0.15, 0.15, generator))
    along = torch.stack([torch.tensor(angle).sin(), torch.tensor(angle).cos()])
    across = torch.stack([along[1], -along[0]])
    t = torch.linspace(-1.0, 1.0, 9)[:, None]
    reach = (edge - size - rim - 1) / 2
    path = (edge - 1) / 2 + reach * (t * along + bend * (1 - t**2) * across)
    steps = torch.arange(edge, dtype=torch.float32)
    away = distance_to_path(torch.cartesian_prod(steps, steps), path[None]).view(edge, edge)
    opacity = (0.5 + (size / 2 - away) / rim).clamp(0.0, 1.0)
    return opacity, opacity


def _scratch_edge(size: int) -> int:
    return max(LENGTH * size, LEAST_LENGTH)


def _pit(size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A disc that is dark on the side of the light, and brighter on the other side."""
    y, x, away = _centred(_round_edge(size))
    angle = torch.tensor(float(uniform(1, 0.0, TAU, generator)))
    opacity = (size / 2 + 0.5 - away).clamp(0.0, 1.0)
    slope = ((y * angle.sin() + x * angle.cos()) / (size / 2)).clamp(-1.0, 1.0)
    return opacity, _scaled(opacity * (slope - 0.4))


def _stain(size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A ragged disc, whose edge is as wide as a quarter of its diameter."""
    y, x, away = _centred(_round_edge(size))
    opacity = (0.5 + (_ragged(size, y, x, generator) - away) / max(size / 4, 1.0)).clamp(0.0, 1.0)
    return opacity, _scaled(opacity)


def _patch(size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A ragged disc with an edge of one pixel."""
    y, x, away = _centred(_round_edge(size))
    opacity = (0.5 + _ragged(size, y, x, generator) - away).clamp(0.0, 1.0)
    return opacity, _scaled(opacity)


def _round_edge(size: int) -> int:
    return size + 2 * max(2, size // 4)


def _centred(edge: int) -> tuple[Tensor, Tensor, Tensor]:
    """The coordinates (y, x) from the centre in pixels, [d,1] and [1,d], and the distance from it, [d,d]."""
    steps = torch.arange(edge, dtype=torch.float32) - (edge - 1) / 2
    y, x = steps[:, None], steps[None, :]
    return y, x, (y**2 + x**2).sqrt()


def _ragged(size: int, y: Tensor, x: Tensor, generator: Generator) -> Tensor:
    """The distance of the edge from the centre in each direction, in pixels: about size / 2."""
    angle, phases = torch.atan2(y, x), uniform(2, 0.0, TAU, generator)
    return size / 2 * (1.0 + 0.08 * torch.sin(3 * angle + phases[0]) + 0.05 * torch.sin(5 * angle + phases[1]))


def _scaled(profile: Tensor) -> Tensor:
    return profile / profile.abs().amax().clamp_min(1e-6)


def _around(picture: Tensor, place: Place, edge: int) -> Tensor:
    """The square of a mark with its surroundings: three times as large, within the picture."""
    rows, columns = (slice(max(first - edge, 0), first + 2 * edge) for first in place)
    return picture[:, rows, columns]


def _shade(
    around: Tensor, before: Tensor, profile: Tensor, mask: Tensor, contrast: float, white: float, generator: Generator
) -> Tensor:
    """Darker or brighter at random; darker if brighter pixels would leave the range."""
    bright = float(torch.rand((), generator=generator)) < 0.5 and float(before.amax()) * (1 + contrast) <= white
    return (contrast if bright else -contrast) * profile.expand(before.shape)


def _relief(
    around: Tensor, before: Tensor, profile: Tensor, mask: Tensor, contrast: float, white: float, generator: Generator
) -> Tensor:
    """As the profile says: negative is darker."""
    return contrast * profile.expand(before.shape)


def _tint(
    around: Tensor, before: Tensor, profile: Tensor, mask: Tensor, contrast: float, white: float, generator: Generator
) -> Tensor:
    """Darker, with a colour of its own in a picture with several channels."""
    tint = uniform(len(before), 0.3, 1.0, generator)
    return -contrast * (tint / tint.amax())[:, None, None] * profile


def _without_print(
    around: Tensor, before: Tensor, profile: Tensor, mask: Tensor, contrast: float, white: float, generator: Generator
) -> Tensor | None:
    """Toward the background, which is the median of the surroundings, as far as the contrast says."""
    background = around.to(torch.float32).flatten(1).median(1).values[:, None, None]
    change = (background - before) / before.clamp_min(1.0)
    there = float(change[:, mask].abs().quantile(PRINT_SHARE))
    if there < contrast:
        return None
    return contrast / there * change * profile


MARK_KINDS: Mapping[str, MarkKind] = {
    "scratch": MarkKind(_scratch_edge, _scratch, _shade),
    "soft scratch": MarkKind(_scratch_edge, _soft_scratch, _shade, least=SOFT_EDGE),
    "pit": MarkKind(_round_edge, _pit, _relief),
    "stain": MarkKind(_round_edge, _stain, _tint),
    "missing print": MarkKind(_round_edge, _patch, _without_print),
}
"""Kinds of marks by their names.

scratch: a slightly bent line, about six times as long as wide and at least 24 pixels, darker or brighter
soft scratch: the same, whose edges are 8 pixels wide: grooves and cracks with rounded sides; from 8 pixels
pit: a disc that is dark toward the light, and brighter on the other side
stain: a ragged disc with a soft edge, darker, in colour pictures with a colour of its own
missing print: a ragged disc in which print fades into the background; only where there is print of the contrast
"""

"""Draws defects of a chosen size and contrast into real pictures, with masks.

They are for measuring models, not for training them: each has one diameter, and a strength relative to the variation of
the surface around it, so that it is as hard to see on a rough surface as on a smooth one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from app.synthesis.fields import uniform
from app.synthesis.marks import distance_to_path

Place = tuple[int, int]
Shape = Callable[[int, Generator], Tensor]

LEAST_CONTRAST = 0.01  # of the largest value around a defect: the variation that a flat surface is taken to have
MOST_CONTRAST = 0.5  # of the largest value that a pixel can have
VISIBLE = 0.15  # the opacity from which a pixel belongs to the mask
SURROUNDINGS = 16  # pixels on each side of a defect, at least, whose variation counts
ATTEMPTS = 32  # random places that are tried for one defect


@dataclass(frozen=True, slots=True)
class Defect:
    """What to draw.

    kind: a key of KINDS
    diameter: the edge in pixels of the square that contains the defect, 2 or more; the defect fills most of it
    contrast: the root mean square of the change inside the mask, as a multiple of the standard deviation of the pixels
        around the defect. Changes that leave the range of the picture's type are cut off
    """

    kind: str
    diameter: int
    contrast: float


def add_defect(picture: Tensor, defect: Defect, place: Place, generator: Generator) -> Tensor:
    """Draws the defect into a picture [C,H,W] uint8 or uint16, and returns its mask [d,d] bool, d = diameter.

    `place` is the (top, left) corner of the square of d x d pixels that the defect changes; the square lies within the
    picture. The random numbers of `generator` determine the form.
    """
    (top, left), size = place, defect.diameter
    square = picture[:, top : top + size, left : left + size]
    before = square.to(torch.float32)
    opacity = KINDS[defect.kind](size, generator)
    mask = opacity >= VISIBLE
    change = opacity * _direction(picture, defect, before, generator)
    deviation = change[:, mask].square().mean().sqrt().clamp_min(1e-6)
    white = float(torch.iinfo(picture.dtype).max)
    amplitude = min(defect.contrast * _variation(picture, defect, place), MOST_CONTRAST * white)
    change = change * (amplitude / deviation)
    if defect.kind != DISPLACED:
        change = change * _sign(before, amplitude, white, generator)
    square.copy_((before + change).round_().clamp_(0, white).to(picture.dtype))
    return mask


def scattered(height: int, width: int, diameters: list[int], distance: int, generator: Generator) -> list[Place | None]:
    """Random places in a picture for squares of these sizes, at least `distance` pixels apart; None: no room found."""
    taken: list[tuple[int, int, int]] = []
    places: list[Place | None] = []
    for size in diameters:
        place = None
        if size <= min(height, width):
            place = _free(height, width, size, distance, taken, generator)
        if place is not None:
            taken.append((*place, size))
        places.append(place)
    return places


def _free(
    height: int, width: int, size: int, distance: int, taken: list[tuple[int, int, int]], generator: Generator
) -> Place | None:
    for _ in range(ATTEMPTS):
        top, left = (int(torch.randint(edge - size + 1, (), generator=generator)) for edge in (height, width))
        apart = (
            max(top - (y + other), y - (top + size), left - (x + other), x - (left + size)) >= distance
            for y, x, other in taken
        )
        if all(apart):
            return top, left
    return None


def _spot(size: int, generator: Generator) -> Tensor:
    """A disc with a slightly ragged edge."""
    y, x = _centred(size)
    angle, phase = torch.atan2(y, x), float(uniform(1, 0.0, 6.28, generator))
    edge = 1.0 - 0.12 * (1.0 + torch.sin(3.0 * angle + phase))
    return _soft(edge - (y**2 + x**2).sqrt(), 0.25 + 1.5 / size)


def _scratch(size: int, generator: Generator) -> Tensor:
    """A slightly bent line across the square, about a tenth as wide as it is long, and at least a pixel."""
    angle = float(uniform(1, 0.0, 6.28, generator))
    bend = float(uniform(1, -0.15, 0.15, generator))
    along = torch.tensor([torch.tensor(angle).sin(), torch.tensor(angle).cos()])
    across = torch.stack([along[1], -along[0]])
    t = torch.linspace(-1.0, 1.0, 9)[:, None]
    middle, half = (size - 1) / 2, max(0.04 * size, 0.5)
    reach = max(size / 2 - half, 0.5)
    path = middle + reach * (t * along + bend * (1 - t**2) * across)
    steps = torch.arange(size, dtype=torch.float32)
    away = distance_to_path(torch.cartesian_prod(steps, steps), path[None]).view(size, size)
    return (half + 0.5 - away).clamp(0.0, 1.0)


def _stain(size: int, generator: Generator) -> Tensor:
    """An irregular patch with a soft edge."""
    return _patch(size, 0.5 + 1.5 / size, generator)


def _piece(size: int, generator: Generator) -> Tensor:
    """An irregular patch with a sharp edge."""
    return _patch(size, 1.5 / size, generator)


DISPLACED = "displaced"
KINDS: dict[str, Shape] = {"scratch": _scratch, "spot": _spot, "stain": _stain, DISPLACED: _piece}
"""The opacity [d,d] in [0, 1] of each kind of defect.

scratch: a thin line, darker or brighter
spot: a darker or brighter disc
stain: a soft patch with a colour of its own; in a grey picture darker or brighter
displaced: a patch of texture from another place of the picture, whose difference is brought to the contrast
"""


def _direction(picture: Tensor, defect: Defect, before: Tensor, generator: Generator) -> Tensor:
    """The change before it is scaled, to be multiplied by the opacity: [C,1,1], or [C,d,d] for displaced texture."""
    channels, height, width = picture.shape
    if defect.kind == DISPLACED:
        size = defect.diameter
        top, left = (int(torch.randint(edge - size + 1, (), generator=generator)) for edge in (height, width))
        turned = picture[:, top : top + size, left : left + size].to(torch.float32).rot90(1, (1, 2))
        inward = -1e-3 if float(before.mean()) > torch.iinfo(picture.dtype).max / 2 else 1e-3
        return turned - before + inward  # not 0, even in a flat picture
    if defect.kind == "stain":
        return 0.3 + torch.rand(channels, 1, 1, generator=generator)
    return torch.ones(channels, 1, 1)


def _variation(picture: Tensor, defect: Defect, place: Place) -> float:
    """The standard deviation of the pixels around the defect, in units of the picture."""
    margin = max(SURROUNDINGS, defect.diameter // 2)
    rows, columns = (slice(max(first - margin, 0), first + defect.diameter + margin) for first in place)
    around = picture[:, rows, columns].to(torch.float32)
    deviation = float((around - around.mean((1, 2), keepdim=True)).square().mean().sqrt())
    return max(deviation, LEAST_CONTRAST * float(around.amax()), 1.0)


def _sign(before: Tensor, amplitude: float, white: float, generator: Generator) -> float:
    """1 or -1 at random; the sign with more room if the other would leave the range."""
    level = float(before.mean())
    sign = 1.0 if float(torch.rand((), generator=generator)) < 0.5 else -1.0
    if not 0 <= level + sign * amplitude <= white:
        sign = 1.0 if level < white / 2 else -1.0
    return sign


def _patch(size: int, softness: float, generator: Generator) -> Tensor:
    y, x = _centred(size)
    coarse = torch.randn(1, 1, 4, 4, generator=generator)
    rough = F.interpolate(coarse, (size, size), mode="bicubic", align_corners=True)[0, 0]
    return _soft(0.85 + 0.15 * rough.clamp(-1.0, 1.0) - (y**2 + x**2).sqrt(), softness)


def _soft(level: Tensor, softness: float) -> Tensor:
    """The opacity from the distance to the edge, which is positive inside; the centre is opaque."""
    return (level / softness).clamp(0.0, 1.0)


def _centred(size: int) -> tuple[Tensor, Tensor]:
    """The coordinates (y, x) from -1 to 1 of the centres of pixels: [d,1] and [1,d]."""
    steps = (torch.arange(size, dtype=torch.float32) - (size - 1) / 2) / (size / 2)
    return steps[:, None], steps[None, :]

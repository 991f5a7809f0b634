"""Draws defects of a chosen size and contrast into real pictures, with masks.

They are for measuring models, not for training them: each has one diameter, and a strength relative to the variation of
the surface around it, so that it is as hard to see on a rough surface as on a smooth one.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from app.synthesis import shapes
from app.synthesis.fields import uniform

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
        around the defect; or for some kinds what KINDS says. Changes that leave the range of the picture's type are cut
        off
    """

    kind: str
    diameter: int
    contrast: float


def add_defect(picture: Tensor, defect: Defect, place: Place, generator: Generator) -> Tensor:
    """Draws the defect into a picture [C,H,W] uint8 or uint16, and returns its mask [d,d] bool, d = diameter.

    `place` is the (top, left) corner of the square of d x d pixels that the defect changes; the square lies within the
    picture. The random numbers of `generator` determine the form.
    """
    (top, left), size, kind = place, defect.diameter, KINDS[defect.kind]
    square = picture[:, top : top + size, left : left + size]
    before = square.to(torch.float32)
    opacity = kind.shape(size, generator)
    mask = opacity >= VISIBLE
    change = opacity * kind.change(picture, before, defect.contrast, generator)
    white = float(torch.iinfo(picture.dtype).max)
    if kind.is_scaled:
        deviation = change[:, mask].square().mean().sqrt().clamp_min(1e-6)
        amplitude = min(defect.contrast * _variation(picture, defect, place), MOST_CONTRAST * white)
        change = change * (amplitude / deviation)
        if kind.is_signed:
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


def _level(picture: Tensor, before: Tensor, contrast: float, generator: Generator) -> Tensor:
    """[C,1,1]: darker or brighter."""
    return torch.ones(len(picture), 1, 1)


def _tint(picture: Tensor, before: Tensor, contrast: float, generator: Generator) -> Tensor:
    """[C,1,1]: a colour; in a grey picture darker or brighter."""
    return 0.3 + torch.rand(len(picture), 1, 1, generator=generator)


def _displaced(picture: Tensor, before: Tensor, contrast: float, generator: Generator) -> Tensor:
    """[C,d,d]: the texture of another place, turned."""
    size, (height, width) = before.shape[-1], picture.shape[-2:]
    top, left = (int(torch.randint(edge - size + 1, (), generator=generator)) for edge in (height, width))
    turned = picture[:, top : top + size, left : left + size].to(torch.float32).rot90(1, (1, 2))
    inward = -1e-3 if float(before.mean()) > torch.iinfo(picture.dtype).max / 2 else 1e-3
    return turned - before + inward  # not 0, even in a flat picture


def _blurred(picture: Tensor, before: Tensor, contrast: float, generator: Generator) -> Tensor:
    """[C,d,d]: the texture blurred by a Gaussian of `contrast` pixels, or more in a large square."""
    sigma = contrast * max(1.0, before.shape[-1] / 32)
    reach = math.ceil(2 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(before[:, None], (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[:, 0] - before


def _warped(picture: Tensor, before: Tensor, contrast: float, generator: Generator) -> Tensor:
    """[C,d,d]: the texture, enlarged by the factor 1 + `contrast` / 2 across, and by less along."""
    size = before.shape[-1]
    across = 1 / (1 + contrast / 2)
    along = across ** float(uniform(1, 0.5, 1.0, generator))
    grid = F.affine_grid(
        torch.tensor([[[along, 0.0, 0.0], [0.0, across, 0.0]]]), [1, 1, size, size], align_corners=False
    )
    return F.grid_sample(before[None], grid, padding_mode="reflection", align_corners=False)[0] - before


Change = Callable[[Tensor, Tensor, float, Generator], Tensor]
"""The change, before it is multiplied by the opacity, of a picture [C,H,W], whose pixels in the square are `before`
[C,d,d]; the next argument is the contrast.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """The opacity of a kind of defect, and its change of the pixels; see Defect."""

    shape: Shape
    change: Change
    is_signed: bool = True
    is_scaled: bool = True


KINDS: Mapping[str, Kind] = {
    "scratch": Kind(shapes.scratch, _level),
    "spot": Kind(shapes.spot, _level),
    "stain": Kind(shapes.stain, _tint),
    "displaced": Kind(shapes.piece, _displaced, is_signed=False),
    "crack": Kind(shapes.crack, _level),
    "band": Kind(shapes.band, _tint),
    "blurred": Kind(shapes.piece, _blurred, is_signed=False, is_scaled=False),
    "warped": Kind(shapes.stain, _warped, is_signed=False, is_scaled=False),
}
"""Kinds of defects by their names.

scratch: a thin line, darker or brighter
spot: a darker or brighter disc
stain: a soft patch with a colour of its own; in a grey picture darker or brighter
displaced: a patch of texture from another place of the picture, whose difference is brought to the contrast
crack: a thin curve with a soft edge and a width that varies, darker or brighter
band: a very soft patch that is long and narrow, with a colour of its own
blurred: a patch without its fine texture; `contrast` is the blur's standard deviation in pixels, or in 1/32 of the
    diameter if that is more
warped: a patch whose texture is enlarged by the factor 1 + `contrast` / 2
"""


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

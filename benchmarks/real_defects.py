"""Real defects with masks: their surface, and the width, contrast and edges of what is in the mask.

Masks are drawn by hand, wider than the defects. So the defect is measured by its profile: the mean change of pixels by
their distance from the line at which the change has half its height. A blurred step is fitted to the profile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import erf
from torch import Tensor

from app.data import LabelledPicture, decoded
from app.evaluation.mask import read_mask

GAP = 3  # pixels beside a mask that belong to neither: masks are rough
SURFACE_SIGMA = 12.0  # pixels: the mean of the surface is taken over so many
SMOOTHED = 2.0  # the sigma in pixels at which the line of half the height is found
OUTSIDE, INSIDE = 14, 6  # pixels of the profile
FEWEST = 10  # pixels of a distance, for its mean to count

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a defect measures.

    width: twice the largest distance in pixels of a place inside the line of half the height from that line
    contrast: the height of the fitted step, as a share of the surface
    sigma: the blur of the fitted step in pixels; its edge is sqrt(12) times as wide as a ramp of the same deviation
    """

    width: float
    contrast: float
    sigma: float


@dataclass(frozen=True, slots=True)
class RealDefect:
    """A picture [C,H,W] with a defect, its mask [H,W], and the relative change of each pixel from the surface [H,W]."""

    image: Tensor
    mask: Booleans
    change: Floats

    @property
    def shape(self) -> Shape | None:
        """The measures of the defect; None if no step can be fitted."""
        return shape_of(self.change, self.mask)


def real_defects(pictures: Sequence[LabelledPicture]) -> Iterator[RealDefect]:
    """The pictures with masks."""
    for picture in pictures:
        image = next(iter(decoded([picture.path], 0)))
        mask = read_mask(picture, (image.shape[1], image.shape[2])).inside
        if mask is not None:
            grey = image.float().mean(0).numpy().astype(np.float64)
            yield RealDefect(image, mask, grey / np.maximum(surface(grey, mask), 1.0) - 1)


def surface(grey: Floats, mask: Booleans) -> Floats:
    """The mean of the pixels around each pixel that are not in the mask, or near it."""
    outside = (~ndimage.binary_dilation(mask, iterations=GAP)).astype(np.float64)
    near, far = (_mean(grey, outside, sigma) for sigma in (SURFACE_SIGMA, 4 * SURFACE_SIGMA))
    found: Floats = np.where(near[1] > 0.02, near[0], far[0])
    return found


def _mean(grey: Floats, weights: Floats, sigma: float) -> tuple[Floats, Floats]:
    total: Floats = ndimage.gaussian_filter(weights, sigma)
    return ndimage.gaussian_filter(grey * weights, sigma) / np.maximum(total, 1e-6), total


def shape_of(change: Floats, mask: Booleans) -> Shape | None:
    """The measures of what is in the mask; None if no step can be fitted."""
    sign = np.sign(change[mask].mean())
    smooth = sign * ndimage.gaussian_filter(change, SMOOTHED)
    height = np.quantile(smooth[mask], 0.95)
    parts, count = ndimage.label(ndimage.binary_dilation(mask, iterations=2 * GAP) & (smooth >= height / 2))
    if not count:
        return None
    core = parts == 1 + int(np.argmax(ndimage.sum(parts > 0, parts, range(1, count + 1))))
    depth = ndimage.distance_transform_edt(core)
    away = np.where(core, depth - 0.5, 0.5 - ndimage.distance_transform_edt(~core))
    places = np.arange(-OUTSIDE, INSIDE, dtype=np.float64)
    rings = [np.abs(away - place) <= 0.5 for place in places]
    known = [number for number, ring in enumerate(rings) if ring.sum() > FEWEST]
    profile = [sign * float(change[rings[number]].mean()) for number in known]
    lowest, highest = (0.0, -0.2, -6.0, 0.2), (1.2, 0.3, 6.0, 12.0)
    try:
        (contrast, _, _, sigma), _ = curve_fit(
            _step, places[known], profile, p0=(0.4, 0.0, 0.0, 2.0), bounds=(lowest, highest)
        )
    except (RuntimeError, ValueError, OptimizeWarning):
        return None
    return Shape(2 * float(depth.max()), float(contrast), float(sigma))


def _step(place: Floats, height: float, base: float, middle: float, sigma: float) -> Floats:
    found: Floats = base + height / 2 * (1 + erf((place - middle) / (sigma * np.sqrt(2))))
    return found

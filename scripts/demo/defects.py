"""The defects of the demo's surface: each function draws one defect, and returns its mask.

Contract: `draw(light, rng)` changes `light` ([H,W,3] float32, 1.0 = white) in place, at one random place inside the
picture, and returns the mask ([H,W] bool) that a person would mark. It changes nothing farther than `FADE` pixels from
that mask. Sizes are in pixels, and are reduced only if the picture is too small for them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
Masks = NDArray[np.bool_]
Draw = Callable[[Floats, np.random.Generator], Masks]

FADE = 12


def draw_scratch(light: Floats, rng: np.random.Generator) -> Masks:
    """A thin, slightly bent groove, dark at the bottom, with a bright burr on one side.

    Its depth varies at random, and falls to 0 at both ends.
    """
    length = min(rng.uniform(70.0, 200.0), 0.5 * min(light.shape[:2]))
    width = rng.uniform(0.75, 1.15)  # standard deviation of the groove's profile
    angle = rng.choice((-1.0, 1.0)) * rng.uniform(np.radians(25.0), np.radians(155.0))
    y, x = _place(light, rng, margin=0.5 * length)
    depth, burr = rng.uniform(0.30, 0.50), rng.uniform(0.30, 0.50)

    t = np.linspace(-0.5, 0.5, max(int(length), 8))
    bow = length * (rng.normal(0.0, 0.05) * (1.0 - 4.0 * t**2) + rng.normal(0.0, 0.008) * np.sin(6.28 * t))
    bow += np.cumsum(rng.normal(0.0, 0.06, t.size))  # a shaking hand
    path_y = y + t * length * np.sin(angle) + bow * np.cos(angle)
    path_x = x + t * length * np.cos(angle) - bow * np.sin(angle)
    skips = ndimage.gaussian_filter1d(rng.standard_normal(t.size), 5.0, mode="reflect") * 5.0**0.5
    pressure = ((1.0 - np.abs(2.0 * t)) * 5.0).clip(0.0, 1.0) * (0.85 + 0.35 * skips).clip(0.25, 1.0)

    window = _window(light, path_y, path_x, margin=8.0 * width)
    pixel_y, pixel_x = _grid(window)
    off_y, off_x = pixel_y[:, :, None] - path_y, pixel_x[:, :, None] - path_x
    squared = off_y**2 + off_x**2  # [h,w,points]
    nearest = squared.argmin(axis=2)
    distance = np.sqrt(squared.min(axis=2))
    side = np.take_along_axis(off_y * np.cos(angle) - off_x * np.sin(angle), nearest[:, :, None], axis=2)[:, :, 0]
    strength = pressure[nearest]
    groove = np.exp(-0.5 * (distance / width) ** 2) * strength
    rim = np.exp(-0.5 * ((side - 2.0 * width) / (0.8 * width)) ** 2) * (distance < 5.0 * width) * strength
    light[window] *= (1.0 - depth * groove + burr * rim)[:, :, None].astype(np.float32)
    return _mask(light, window, (distance < 2.5 * width) & (strength > 0.1))


def draw_pit(light: Floats, rng: np.random.Generator) -> Masks:
    """A small ragged hole: dark, darkest on the lamp's side, with a bright edge on the opposite side."""
    radius = min(rng.uniform(3.5, 7.5), 0.1 * min(light.shape[:2]))
    y, x = _place(light, rng, margin=3.0 * radius)
    depth, glint = rng.uniform(0.45, 0.65), rng.uniform(0.35, 0.6)
    waves, phases = rng.normal(0.0, 0.16, 7) / np.arange(1, 8), rng.uniform(0.0, 6.28, 7)
    stretch = rng.uniform(0.75, 1.2)

    window = _window(light, np.array([y]), np.array([x]), margin=3.0 * radius)
    pixel_y, pixel_x = _grid(window)
    off_y, off_x = (pixel_y - y) * stretch, (pixel_x - x) / stretch
    bearing = np.arctan2(off_y, off_x)
    ragged = 1.0 + sum(a * np.sin((k + 1) * bearing + p) for k, (a, p) in enumerate(zip(waves, phases, strict=True)))
    rho = np.hypot(off_y, off_x) / (radius * ragged)
    away = (off_y + off_x) / (np.sqrt(2.0) * radius)  # 1 at the edge opposite to the lamp, which is above on the left
    hole = 1.0 / (1.0 + np.exp((rho - 1.0) * 8.0)) * (0.8 - 0.2 * away.clip(-1.0, 1.0))
    edge = np.exp(-0.5 * ((rho - 1.15) / 0.18) ** 2) * away.clip(0.0, 1.0)
    light[window] *= (1.0 - depth * hole + glint * edge)[:, :, None].astype(np.float32)
    return _mask(light, window, rho < 1.25)


def draw_stain(light: Floats, rng: np.random.Generator) -> Masks:
    """A dried drop: a soft irregular discolouration, warm or cold, a little darker at its rim."""
    radius = min(rng.uniform(16.0, 38.0), 0.25 * min(light.shape[:2]))
    y, x = _place(light, rng, margin=1.5 * radius)
    warm, cold = np.array([0.00, 0.05, 0.14]), np.array([0.12, 0.06, 0.00])
    absorbed = (warm if rng.random() < 0.6 else cold) + rng.uniform(0.07, 0.12)  # [3]

    window = _window(light, np.array([y]), np.array([x]), margin=2.0 * radius)
    pixel_y, pixel_x = _grid(window)
    rough = ndimage.gaussian_filter(rng.standard_normal(pixel_y.shape), 0.3 * radius)
    level = 1.0 - np.hypot(pixel_y - y, pixel_x - x) / radius + 0.25 * rough / max(float(rough.std()), 1e-6)
    soft = (level / 0.6).clip(0.0, 1.0)
    opacity = soft**2 * (3.0 - 2.0 * soft)
    opacity[opacity < 0.05] = 0.0
    opacity *= 0.75 + 0.5 * np.exp(-0.5 * ((level - 0.4) / 0.2) ** 2)
    light[window] *= (1.0 - opacity[:, :, None] * absorbed).astype(np.float32)
    return _mask(light, window, opacity > 0.1)


DEFECTS: dict[str, Draw] = {"scratch": draw_scratch, "pit": draw_pit, "stain": draw_stain}


def _place(light: Floats, rng: np.random.Generator, margin: float) -> tuple[float, float]:
    """A random (y, x) at least `margin` pixels inside the picture, where it is large enough."""
    y, x = (rng.uniform(min(margin, 0.5 * edge), max(edge - margin, 0.5 * edge)) for edge in light.shape[:2])
    return y, x


def _window(light: Floats, y: NDArray[np.floating], x: NDArray[np.floating], margin: float) -> tuple[slice, slice]:
    """The part of the picture within `margin` pixels of the points."""
    height, width = light.shape[:2]
    rows = slice(max(int(y.min() - margin), 0), min(int(y.max() + margin) + 2, height))
    columns = slice(max(int(x.min() - margin), 0), min(int(x.max() + margin) + 2, width))
    return rows, columns


def _grid(window: tuple[slice, slice]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The y and the x of each pixel of a window: two [h,w]."""
    rows, columns = window
    y, x = np.mgrid[rows.start : rows.stop, columns.start : columns.stop].astype(np.float64)
    return y, x


def _mask(light: Floats, window: tuple[slice, slice], inside: Masks) -> Masks:
    mask = np.zeros(light.shape[:2], dtype=np.bool_)
    mask[window] = inside
    return mask

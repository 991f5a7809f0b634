"""A rolled-metal surface as a line camera sees it, and defects on it with their masks.

All random numbers come from the caller's generator, so that a seed determines a picture. The normal surface is drawn
first: the same seed with and without defects gives two pictures that differ at the defects only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from scripts.demo.defects import DEFECTS, Floats, Masks

Pixels = NDArray[np.uint8]

STEEL = np.array([0.545, 0.560, 0.575], dtype=np.float32)  # RGB reflectance under neutral light


@dataclass(frozen=True, slots=True)
class Surface:
    """A surface before the sensor: `light` [H,W,3], 1.0 = white, and the `noise` that the sensor will add to it."""

    light: Floats
    noise: Floats

    def expose(self) -> Pixels:
        """The picture that the sensor reads: [H,W,3] uint8."""
        return ((self.light + self.noise).clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def normal_surface(rng: np.random.Generator, size: tuple[int, int] = (1024, 1024)) -> Pixels:
    """A picture of `size` (height, width) without a defect: [H,W,3] uint8."""
    return _surface(rng, size).expose()


def defective_surface(
    rng: np.random.Generator, size: tuple[int, int] = (1024, 1024), kinds: Sequence[str] = ("scratch", "pit", "stain")
) -> tuple[Pixels, Masks]:
    """A picture with one defect for each of `kinds` (names may repeat), and the mask of all defects: [H,W] bool."""
    surface = _surface(rng, size)
    mask = np.zeros(size, dtype=np.bool_)
    for kind in kinds:
        mask |= DEFECTS[kind](surface.light, rng)
    return surface.expose(), mask


def _surface(rng: np.random.Generator, size: tuple[int, int]) -> Surface:
    angle = rng.normal(0.0, np.radians(1.5))  # of the grain to the horizontal, in radians
    relief = 0.030 * _grain(rng, size, angle, length=70.0, width=0.9)
    relief += 0.022 * _grain(rng, size, angle, length=260.0, width=2.2)
    relief += 0.012 * _grain(rng, size, angle, length=900.0, width=9.0)
    relief += 0.010 * _grain(rng, size, angle, length=1.2, width=1.2)
    relief += _machining_lines(rng, size, angle)
    shade = rng.normal(1.0, 0.03) * (1.0 + relief) * _lighting(rng, size)  # [H,W]
    tint = STEEL * (1.0 + rng.normal(0.0, 0.012, 3).astype(np.float32))  # [3]
    light = shade.astype(np.float32)[:, :, None] * tint  # [H,W,3]
    noise = rng.standard_normal((*size, 3), dtype=np.float32) * 0.006
    noise += rng.standard_normal((*size, 1), dtype=np.float32) * 0.006
    return Surface(light, noise)


def _grain(rng: np.random.Generator, size: tuple[int, int], angle: float, length: float, width: float) -> Floats:
    """Gaussian noise of unit variance, correlated over `length` pixels along the angle and `width` across: [H,W]."""
    along, across = _turned(fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None, :], angle)
    gain = np.exp(-2.0 * np.pi**2 * ((along * length) ** 2 + (across * width) ** 2) / 4.0)
    spectrum = fft.rfft2(rng.standard_normal(size, dtype=np.float32)) * gain.astype(np.float32)
    grain: Floats = fft.irfft2(spectrum, s=size).astype(np.float32)
    return grain / max(float(grain.std()), 1e-6)


def _machining_lines(rng: np.random.Generator, size: tuple[int, int], angle: float) -> Floats:
    """Weak lines along the grain, at distances that drift a little: [H,W], about 0.01 deep."""
    y, x = np.ogrid[: size[0], : size[1]]
    _, across = _turned(y.astype(np.float32), x.astype(np.float32), angle)
    pitch = rng.uniform(34.0, 42.0)
    phase = 2.0 * np.pi * (across / pitch + rng.random())
    drift = rng.uniform(1.0, 2.0) * np.sin(across / rng.uniform(150.0, 250.0) + rng.uniform(0.0, 6.28))
    lines: Floats = (0.010 * np.exp(6.0 * (np.cos(phase + drift) - 1.0))).astype(np.float32)
    return lines


def _lighting(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Uneven light, about 1: a slope, a vignette that is not centred, and one broad wave: [H,W]."""
    y = np.linspace(-1.0, 1.0, size[0], dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, size[1], dtype=np.float32)[None, :]
    slope_y, slope_x = rng.normal(0.0, 0.04, 2)
    top, left = rng.normal(0.0, 0.2, 2)
    wave = 0.02 * np.sin(2.5 * x + rng.uniform(0.0, 6.28)) * np.cos(1.5 * y + rng.uniform(0.0, 6.28))
    vignette = 0.07 * ((y - top) ** 2 + (x - left) ** 2)
    light: Floats = (1.0 + slope_y * y + slope_x * x - vignette + wave).astype(np.float32)
    return light


def _turned(y: NDArray[np.floating], x: NDArray[np.floating], angle: float) -> tuple[Floats, Floats]:
    """The coordinates along and across a direction `angle` radians from the horizontal."""
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)

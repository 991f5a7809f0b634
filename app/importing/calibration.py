"""Converts anomalib's thresholds and ranges to a calibration.

anomalib normalises a raw value v to n = clamp((v - T) / (max - min) + 0.5, 0, 1), and classifies v as anomalous if
n > 1 - sensitivity. That is equivalent to v > T + (0.5 - sensitivity) (max - min); the right side becomes the
threshold here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from app.errors import UnsupportedImport
from app.importing.reference import PostProcessing
from app.scoring import Calibration


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Raw thresholds of picture scores and of map values, which replace those of the file; None: the file's is used."""

    image: float | None = None
    pixel: float | None = None


def calibration(
    values: Mapping[str, float], settings: PostProcessing, given: Thresholds
) -> tuple[Calibration, tuple[str, ...]]:
    """The calibration of a post-processor, and the assumptions that were made, in words.

    `values` are the post-processor's numbers by name; NaN: unset. Thresholds in `given` replace those of the file, and
    sensitivities do not apply to them.

    The threshold of the other level replaces an unset threshold, as in anomalib, unless the settings disable that. If
    there is none, the middle of the range does. An unset range becomes 0 to twice the threshold. Without threshold and
    range, the threshold is 0.5 and the range 0 to 1, as in anomalib, so that scores stay unchanged. Raises
    UnsupportedImport for infinite numbers.
    """
    known = {name: value for name, value in values.items() if value == value}  # NaN differs from itself
    if not all(isfinite(value) for value in known.values()):
        raise UnsupportedImport("the file's thresholds or ranges are infinite; validate the model in anomalib first")
    own = {"image": known.get("_image_threshold"), "pixel": known.get("_pixel_threshold")}
    levels, assumed = [], []
    for level, other, sensitivity, override in (
        ("image", "pixel", settings.image_sensitivity, given.image),
        ("pixel", "image", settings.pixel_sensitivity, given.pixel),
    ):
        threshold = own[level]
        if override is None and threshold is None and settings.threshold_matching and own[other] is not None:
            threshold = own[other]
            assumed.append(f"{level} threshold: the file has none, and that of the {other} is used, as anomalib does")
        span = known.get(f"{level}_min"), known.get(f"{level}_max")
        found, words = _level(level, threshold if override is None else override, span, sensitivity)
        levels.append(found if override is None else (override, *found[1:]))
        assumed.extend(words)
    (image, image_min, image_max), (pixel, pixel_min, pixel_max) = levels
    return Calibration(image, image_min, image_max, pixel, pixel_min, pixel_max), tuple(assumed)


def _level(
    level: str, threshold: float | None, span: tuple[float | None, float | None], sensitivity: float
) -> tuple[tuple[float, float, float], list[str]]:
    """(threshold, minimum, maximum) of a level, and the assumptions that were made, in words."""
    assumed = []
    low, high = span
    if low is None or high is None:
        if threshold is None:
            assumed.append(
                f"{level} threshold: THE FILE HAS NONE, and no range; a raw 0.5 is used, as anomalib does, which means "
                f"nothing to this detector: give --{level}_threshold, or validate the model in anomalib first"
            )
        else:
            assumed.append(f"{level} range: the file has none; 0 to twice the threshold is used")
        threshold = 0.5 if threshold is None else threshold
        low, high = 0.0, 2 * threshold
    elif threshold is None:
        threshold = (low + high) / 2
        assumed.append(f"{level} threshold: the file has none, and the middle of its range is used, as anomalib does")
    if high <= low:
        high = low + 1e-6 * max(1.0, abs(low))
        assumed.append(f"{level} range: it is empty; normalised scores will be 0 or 1")
    return (threshold + (0.5 - sensitivity) * (high - low), low, high), assumed

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


def threshold_questions(values: Mapping[str, float], settings: PostProcessing, given: Thresholds) -> tuple[str, ...]:
    """For each threshold that must be given, because the file does not say which values are anomalous: the question.

    `values` are the post-processor's numbers by name; NaN: unset. anomalib compares normalised values. Without
    normalisation or range, it compares raw values with 1 - sensitivity, which means nothing to a detector.
    """
    known, questions = _known(values), []
    for level, kind, sensitivity, override in (
        ("image", "pictures", settings.image_sensitivity, given.image),
        ("pixel", "pixels", settings.pixel_sensitivity, given.pixel),
    ):
        threshold, _ = _threshold(level, known, settings)
        normalised = settings.normalisation and None not in _span(level, known)
        if override is not None or (normalised and (settings.thresholding or threshold is not None)):
            continue
        option = f"--{level}_threshold"
        if threshold is None:
            questions.append(
                f"{option}: the file has no threshold of {kind}. Validate the model in anomalib first, or give a raw "
                f"value, such as {option} 0.5, and set it with `tessera calibrate` on normal pictures"
            )
        else:
            questions.append(
                f"{option}: the model does not normalise its values, so that anomalib compares those of {kind} with "
                f"{1 - sensitivity:g} and not with the file's threshold. Give {option} {threshold:.6g}, which is the "
                f"file's threshold, or {option} {1 - sensitivity:g}, for anomalib's labels"
            )
    return tuple(questions)


def calibration(
    values: Mapping[str, float], settings: PostProcessing, given: Thresholds
) -> tuple[Calibration, tuple[str, ...]]:
    """The calibration of a post-processor, and the assumptions that were made, in words.

    `values` are the post-processor's numbers by name; NaN: unset. Thresholds in `given` replace those of the file, and
    sensitivities do not apply to them. There must be no `threshold_questions`.

    The threshold of the other level replaces an unset threshold, as in anomalib, unless the settings disable that. If
    there is none, the middle of the range does. An unset range becomes 0 to twice the threshold. Raises
    UnsupportedImport for infinite numbers.
    """
    known = _known(values)
    if not all(isfinite(value) for value in known.values()):
        raise UnsupportedImport("the file's thresholds or ranges are infinite; validate the model in anomalib first")
    levels: list[tuple[float, float, float]] = []
    assumed: list[str] = []
    for level, sensitivity, override in (
        ("image", settings.image_sensitivity, given.image),
        ("pixel", settings.pixel_sensitivity, given.pixel),
    ):
        threshold, words = (override, ()) if override is not None else _threshold(level, known, settings)
        found, more = _level(level, threshold, _span(level, known), sensitivity)
        levels.append(found if override is None else (override, *found[1:]))
        assumed.extend((*words, *more))
    (image, image_min, image_max), (pixel, pixel_min, pixel_max) = levels
    return Calibration(image, image_min, image_max, pixel, pixel_min, pixel_max), tuple(assumed)


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value == value}  # NaN differs from itself


def _span(level: str, known: Mapping[str, float]) -> tuple[float | None, float | None]:
    return known.get(f"{level}_min"), known.get(f"{level}_max")


def _threshold(
    level: str, known: Mapping[str, float], settings: PostProcessing
) -> tuple[float | None, tuple[str, ...]]:
    """The file's threshold of a level or, as in anomalib, of the other level; and the assumption, in words."""
    other = {"image": "pixel", "pixel": "image"}[level]
    own, replacement = known.get(f"_{level}_threshold"), known.get(f"_{other}_threshold")
    if own is not None or replacement is None or not settings.threshold_matching:
        return own, ()
    return replacement, (f"{level} threshold: the file has none, and that of the {other} is used, as anomalib does",)


def _level(
    level: str, threshold: float | None, span: tuple[float | None, float | None], sensitivity: float
) -> tuple[tuple[float, float, float], list[str]]:
    """(threshold, minimum, maximum) of a level, and the assumptions that were made, in words."""
    assumed = []
    low, high = span
    if low is None or high is None:
        assert threshold is not None, "threshold_questions asks for it"
        low, high = 0.0, 2 * threshold
        assumed.append(f"{level} range: the file has none; 0 to twice the threshold is used")
    elif threshold is None:
        threshold = (low + high) / 2
        assumed.append(f"{level} threshold: the file has none, and the middle of its range is used, as anomalib does")
    if high <= low:
        high = low + 1e-6 * max(1.0, abs(low))
        assumed.append(f"{level} range: it is empty; normalised scores will be 0 or 1")
    return (threshold + (0.5 - sensitivity) * (high - low), low, high), assumed

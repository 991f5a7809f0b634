"""Whether a certificate agrees with reality: the recall that it predicts for real defects, and the measured one.

    python -m benchmarks.certificate --root ../shared/data/kolektorsdd --models models --name kolektor [--marks 100]

The model is one that was trained on the data set's pictures for training. Marks are drawn into its normal pictures for
testing. For each real defect with a mask, its width (twice the largest distance to the edge of the mask) and its
contrast are looked up in the curves of scratches, between whose contrasts is interpolated: the cracks of KolektorSDD
are long and thin. Contrasts are measured in two ways, as shares of the median of a ring around the mask: that of the
mean of the mask's pixels, which noise hardly changes, but which is too low where the mask is wider than the crack; and
that which a tenth of the mask's pixels exceed, which is too high on a rough surface, whose own pixels differ as much.

The plot has the defects in groups of equal number by width, with 95 % intervals: Clopper-Pearson for the measured
recall, and the means of the ends of the curves' intervals for the predicted ones.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from statistics import fmean, median

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.data import LabelledPicture, decoded
from app.evaluation.certificate import MarkedPictures, Plan, certify
from app.evaluation.mask import read_mask
from app.pipeline import predict
from app.runtime import RunOptions
from app.scoring import Detection, share_interval
from app.terminal import progress_bars
from benchmarks.command_line import with_root
from benchmarks.hardware import write
from benchmarks.kolektorsdd.setting import testing_pictures

KIND = "scratch"
CONTRASTS = (0.05, 0.1, 0.2, 0.4)
GROUPS = 4
RING = 12  # pixels around a mask whose median is that of the surface
GAP = 3  # pixels beside a mask that belong to neither: masks are rough

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RealDefect:
    """A defect, whether the model finds it, and the recall that the certificate predicts for it.

    contrasts: of the mean and of the highest tenth of the mask's pixels
    surface: the contrast that a tenth of the pixels around the mask exceed
    by_mean, by_tenth: the low end, the recall and the high end by either contrast
    """

    width: float
    contrasts: tuple[float, float]
    surface: float
    found: bool
    by_mean: tuple[float, ...]
    by_tenth: tuple[float, ...]


def main() -> None:
    parser = with_root(__doc__)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--name", default="kolektor")
    parser.add_argument("--marks", type=int, default=100)
    given = parser.parse_args()
    artifact = load_artifact(ModelRepository(given.models).find(given.name), "cpu", RunOptions(batch_tiles=0))
    testing = testing_pictures(given.root)
    normal = [each for each in testing if not each.anomalous]
    marked = MarkedPictures(artifact.model, artifact.calibration)
    for image in decoded([each.path for each in normal[::4]], 0):
        marked.add(image)
    with progress_bars() as report:
        certified = certify(marked, Plan(CONTRASTS, given.marks), report)
    curves = [(each.contrast, each.curve) for each in certified.grades if each.kind == KIND and each.sights]
    defects = [
        found
        for picture in testing
        if picture.anomalous and (found := _measured(artifact, picture, curves)) is not None
    ]
    groups = _groups(defects)
    result = {
        "model": {"detector": artifact.manifest.detector.name, "pictures": artifact.manifest.provenance.pictures},
        "marked_pictures": len(marked),
        "marks": certified.marks,
        "grades": [each.record().model_dump() for each in certified.grades],
        "grid": certified.grid,
        "places": [each.model_dump() for each in certified.places],
        "false_alarms": certified.false_alarms.model_dump(),
        "groups": groups,
        "defects": [asdict(each) for each in defects],
    }
    plot(groups, write("certificate", result))


def _measured(
    artifact: Artifact, picture: LabelledPicture, curves: Sequence[tuple[float, Detection]]
) -> RealDefect | None:
    """A real defect; None without a mask."""
    image = next(iter(decoded([picture.path], 0)))
    mask = read_mask(picture, (image.shape[1], image.shape[2])).inside
    if mask is None:
        return None
    outcome, calibration = predict(artifact.model, image), artifact.calibration
    over = (outcome.anomaly_map > calibration.pixel_threshold) & torch.from_numpy(mask)
    found = bool(over.any()) and outcome.raw_score > calibration.image_threshold
    width = 2 * float(ndimage.distance_transform_edt(mask).max())
    *contrasts, surface = _contrasts(image.float().mean(0).numpy(), mask)
    by_mean, by_tenth = (tuple(_between(curves, each, width, which) for which in range(3)) for each in contrasts)
    return RealDefect(width, (contrasts[0], contrasts[1]), surface, found, by_mean, by_tenth)


def _contrasts(grey: NDArray[np.float32], mask: Booleans) -> tuple[float, float, float]:
    """The contrasts of the mean and of the highest tenth of the mask, and of the highest tenth of the ring."""
    beside = ndimage.binary_dilation(mask, iterations=GAP)
    ring = ndimage.binary_dilation(beside, iterations=RING) & ~beside
    level = max(float(np.median(grey[ring])), 1.0)
    tenths = [float(np.quantile(np.abs(grey[part] / level - 1), 0.9)) for part in (mask, ring)]
    return abs(float(grey[mask].mean()) / level - 1), tenths[0], tenths[1]


def _between(curves: Sequence[tuple[float, Detection]], contrast: float, width: float, which: int) -> float:
    """The low end, the probability or the high end (0, 1, 2), interpolated in the logarithm of the contrast."""
    values = []
    for _, curve in curves:
        low, high = curve.probability_interval(width)
        values.append((low, curve.probability(width), high)[which])
    known = [log(each) for each, _ in curves]
    return float(np.interp(log(max(contrast, 1e-3)), known, values))


def _groups(defects: Sequence[RealDefect]) -> list[dict[str, object]]:
    ordered = sorted(defects, key=lambda each: each.width)
    found: list[dict[str, object]] = []
    for part in np.array_split(np.arange(len(ordered)), GROUPS):
        own = [ordered[number] for number in part]
        hits = sum(each.found for each in own)
        found.append(
            {
                "label": f"{own[0].width:.0f} to {own[-1].width:.0f} px",
                "median_contrasts": [round(median(each.contrasts[way] for each in own), 3) for way in (0, 1)],
                "median_surface": round(median(each.surface for each in own), 3),
                "defects": len(own),
                "found": hits,
                "measured": hits / len(own),
                "measured_interval": share_interval(hits, len(own)),
                "by_mean": fmean(each.by_mean[1] for each in own),
                "by_mean_interval": [fmean(each.by_mean[end] for each in own) for end in (0, 2)],
                "by_tenth": fmean(each.by_tenth[1] for each in own),
                "by_tenth_interval": [fmean(each.by_tenth[end] for each in own) for end in (0, 2)],
            }
        )
    return found


def plot(groups: Sequence[dict[str, object]], path: Path) -> None:
    """Draws both recalls of each group to an SVG beside the result."""
    step, left, top, side = 150, 60, 30, 240
    width = left + step * len(groups) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + side + 70}" font-family="sans-serif" '
        'font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{left}" y="18" font-size="12">KolektorSDD: recall by the width of the defect, with 95 % intervals '
        '(<tspan fill="#0072b2">measured</tspan>, predicted by <tspan fill="#d55e00">mean</tspan> and by '
        '<tspan fill="#009e73">highest</tspan> contrast)</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = top + side * (1 - share)
        parts.append(f'<path d="M{left} {y}H{width - 20}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{share:g}</text>')
    for number, group in enumerate(groups):
        middle = left + step * (number + 0.5)
        for name, colour, shift in (
            ("measured", "#0072b2", -14),
            ("by_mean", "#d55e00", 0),
            ("by_tenth", "#009e73", 14),
        ):
            value, low, high = _shares(group, name)
            ends = f"M{middle + shift} {top + side * (1 - low):.1f}V{top + side * (1 - high):.1f}"
            parts.append(f'<path d="{ends}" stroke="{colour}" stroke-width="2"/>')
            parts.append(f'<circle cx="{middle + shift}" cy="{top + side * (1 - value):.1f}" r="4" fill="{colour}"/>')
        for line, text in enumerate((group["label"], f"{group['defects']} defects")):
            parts.append(f'<text x="{middle}" y="{top + side + 20 + 16 * line}" text-anchor="middle">{text}</text>')
    path.with_suffix(".svg").write_text("\n".join([*parts, "</svg>", ""]))


def _shares(group: dict[str, object], name: str) -> tuple[float, float, float]:
    """The recall of a group, and the ends of its interval."""
    low, high = np.array(group[f"{name}_interval"], np.float64).tolist()
    return float(np.float64(str(group[name]))), low, high


if __name__ == "__main__":
    main()

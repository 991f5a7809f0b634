"""Whether a certificate agrees with reality: the recall that it predicts for real defects, and the measured one.

    python -m benchmarks.certificate --root ../shared/data/kolektorsdd --models models --name kolektor [--marks 100]

The model is one that was trained on the data set's pictures for training. Marks are drawn into its normal pictures for
testing. For each real defect with a mask, its width and its contrast are measured by its profile (`real_defects.py`),
and looked up in the curves of scratches and of soft scratches, between whose contrasts is interpolated: the cracks of
KolektorSDD are long and thin.

The plot has the defects in groups of equal number by width, with 95 % intervals: Clopper-Pearson for the measured
recall, and the means of the ends of the curves' intervals for the predicted ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from statistics import fmean, median

import numpy as np
import torch

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.data import decoded
from app.evaluation.certificate import MarkedPictures, Plan, certify
from app.pipeline import predict
from app.runtime import RunOptions
from app.scoring import Detection, share_interval
from app.terminal import progress_bars
from benchmarks.command_line import with_root
from benchmarks.hardware import write
from benchmarks.kolektorsdd.setting import testing_pictures
from benchmarks.real_defects import RealDefect, Shape, real_defects

KINDS = "scratch", "soft scratch"
CONTRASTS = (0.2, 0.28, 0.4, 0.57, 0.8)  # half an octave apart: between them, recall is interpolated
GROUPS = 4
SERIES = (("measured", "#0072b2"), ("scratch", "#d55e00"), ("soft scratch", "#009e73"))


@dataclass(frozen=True, slots=True)
class Compared:
    """A defect, whether the model finds it, and the recall that the certificate predicts for it.

    predicted: by the kind of mark, the low end, the recall and the high end
    """

    shape: Shape
    found: bool
    predicted: Mapping[str, tuple[float, ...]]


Curves = Mapping[str, Sequence[tuple[float, Detection]]]
"""For each kind of mark, the curves by contrast."""


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
        certified = certify(marked, Plan(CONTRASTS, given.marks, kinds=KINDS), report)
    curves = {
        kind: [(each.contrast, each.curve) for each in certified.grades if each.kind == kind and each.sights]
        for kind in KINDS
    }
    every = [_compared(artifact, each, curves) for each in real_defects([each for each in testing if each.anomalous])]
    defects = [each for each in every if each is not None]
    groups = _groups(defects)
    result = {
        "model": {"detector": artifact.manifest.detector.name, "pictures": artifact.manifest.provenance.pictures},
        "marked_pictures": len(marked),
        "marks": certified.marks,
        "grades": [each.record().model_dump() for each in certified.grades],
        "grid": certified.grid,
        "places": [each.model_dump() for each in certified.places],
        "false_alarms": certified.false_alarms.model_dump(),
        "without_profile": len(every) - len(defects),
        "groups": groups,
        "defects": [asdict(each) for each in defects],
    }
    plot(groups, write("certificate", result))


def _compared(artifact: Artifact, defect: RealDefect, curves: Curves) -> Compared | None:
    """A real defect; None if its profile cannot be measured."""
    shape = defect.shape
    if shape is None:
        return None
    outcome, calibration = predict(artifact.model, defect.image), artifact.calibration
    over = (outcome.anomaly_map > calibration.pixel_threshold) & torch.from_numpy(defect.mask)
    found = bool(over.any()) and outcome.raw_score > calibration.image_threshold
    predicted = {kind: tuple(_between(own, shape, which) for which in range(3)) for kind, own in curves.items()}
    return Compared(shape, found, predicted)


def _between(curves: Sequence[tuple[float, Detection]], shape: Shape, which: int) -> float:
    """The low end, the probability or the high end (0, 1, 2), interpolated in the logarithm of the contrast."""
    values = []
    for _, curve in curves:
        low, high = curve.probability_interval(shape.width)
        values.append((low, curve.probability(shape.width), high)[which])
    known = [log(each) for each, _ in curves]
    return float(np.interp(log(max(shape.contrast, 1e-3)), known, values))


def _groups(defects: Sequence[Compared]) -> list[dict[str, object]]:
    ordered = sorted(defects, key=lambda each: each.shape.width)
    found: list[dict[str, object]] = []
    for part in np.array_split(np.arange(len(ordered)), GROUPS):
        own = [ordered[number] for number in part]
        hits = sum(each.found for each in own)
        group: dict[str, object] = {
            "label": f"{own[0].shape.width:.0f} to {own[-1].shape.width:.0f} px",
            "median_contrast": round(median(each.shape.contrast for each in own), 3),
            "median_sigma": round(median(each.shape.sigma for each in own), 2),
            "defects": len(own),
            "found": hits,
            "measured": hits / len(own),
            "measured_interval": share_interval(hits, len(own)),
        }
        for kind in KINDS:
            group[kind] = fmean(each.predicted[kind][1] for each in own)
            group[f"{kind}_interval"] = [fmean(each.predicted[kind][end] for each in own) for end in (0, 2)]
        found.append(group)
    return found


def plot(groups: Sequence[dict[str, object]], path: Path) -> None:
    """Draws both recalls of each group to an SVG beside the result."""
    step, left, top, side = 150, 60, 30, 240
    width = left + step * len(groups) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + side + 70}" font-family="sans-serif" '
        'font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{left}" y="18" font-size="12">Recall on KolektorSDD by width, 95 % intervals '
        '(<tspan fill="#0072b2">measured</tspan>, predicted as <tspan fill="#d55e00">scratch</tspan> and as '
        '<tspan fill="#009e73">soft scratch</tspan>)</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = top + side * (1 - share)
        parts.append(f'<path d="M{left} {y}H{width - 20}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{share:g}</text>')
    for number, group in enumerate(groups):
        middle = left + step * (number + 0.5)
        for (name, colour), shift in zip(SERIES, (-14, 0, 14), strict=True):
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

"""`metrics.json`: an evaluation as plain values."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from os.path import commonpath
from pathlib import Path

from app.artifacts import Artifact, CertificateRecord, Manifest
from app.evaluation.figures import manifest_metrics
from app.evaluation.headline import headline
from app.evaluation.intervals import Intervals, measure_intervals, share_intervals_of
from app.evaluation.masks_taken import MasksTaken
from app.evaluation.recall import OperatingPoint, operating_points
from app.evaluation.result import Evaluation, KindResult, Level, PictureResult
from app.evaluation.seen import Selection
from app.pipeline import RegionEvidence
from app.scoring import LEVEL, RESAMPLES, SEED, Confusion, share_interval
from app.version import VERSION

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None
ReportData = dict[str, Json]

SCHEMA_VERSION = 1
WARNINGS = {
    "reference": "The thresholds were fitted to test pictures, as the reference library does by default. If to these, "
    "then precision, recall, F1 and detection rates at them are better than they will be on new pictures.",
    "training-normal": "The thresholds were set on pictures that the model was fitted to. Expect more false alarms on "
    "new pictures than the calibration aimed at.",
    "imported": "The thresholds were found by the program that trained the model. Whether that was on these pictures "
    "is not known; if it was, figures at the thresholds are better than they will be on new pictures.",
}
"""Warnings about the metrics at the thresholds, by the protocol that set the thresholds."""


THRESHOLD_SCALES = {
    "calibration, image, pixel": "raw: in the scale of raw_score, and of the values of the model's maps",
    "recall": "threshold: in the scale of score, 0 to 1, which the API, the page and --threshold take; raw_threshold: "
    "in the scale of raw_score",
}
"""The scales of the thresholds in a record, by the keys that hold them."""


def warning_of(manifest: Manifest, selection: Selection | None) -> str | None:
    """Why the metrics at the thresholds may be too good; None: there is no known reason."""
    protocol = manifest.calibration.protocol
    exact = manifest.seen is not None and selection is not None and protocol == "reference"  # digests say it exactly
    known = None if exact else WARNINGS.get(protocol)
    return " ".join(filter(None, (known, selection.warning if selection else None))) or None


def make_record(
    evaluation: Evaluation,
    artifact: Artifact,
    dataset: str,
    intervals: Intervals | None = None,
    *,
    selection: Selection | None = None,
    explained: Mapping[int, RegionEvidence] | None = None,
) -> ReportData:
    """The content of `metrics.json`. The page shows no other numbers.

    intervals: those of the evaluation; None: they are computed
    selection: the pictures of the dataset that the evaluation used; None: all of them
    explained: evidence for the region with the highest peak, by the number of its picture
    """
    manifest, image, pixel = artifact.manifest, evaluation.image, evaluation.pixel
    calibration = manifest.calibration
    selections = [selection] if selection else []
    metrics = manifest_metrics(evaluation)
    points = operating_points(evaluation.pictures, calibration.build())
    return {
        "schema_version": SCHEMA_VERSION,
        "image_auroc": metrics.get("image_auroc"),
        "pixel_auroc": metrics.get("pixel_auroc"),
        "headline": headline(evaluation),
        "warning": warning_of(manifest, selection),
        "notes": [*evaluation.notes, *(selection.notes if selection else ())],
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tessera_version": VERSION,
        "model": model_record(artifact),
        "dataset": dataset_record(evaluation, dataset, selections),
        "calibration": calibration.model_dump(),
        "threshold_scales": THRESHOLD_SCALES,
        "image": _level(image, calibration.image_threshold),
        "pixel": None if pixel is None else _level(pixel, calibration.pixel_threshold),
        "intervals": _intervals(intervals or measure_intervals(evaluation)),
        "recall": [_operating_point(point) for point in points],
        "kinds": [_kind(kind) for kind in evaluation.kinds],
        **_certificate(artifact),
        **_pictures(evaluation, selections, explained or {}),
    }


def _certificate(artifact: Artifact) -> ReportData:
    """What `tessera certify` measured of the model, if it did."""
    return {} if artifact.certificate is None else {"certificate": certificate_json(artifact.certificate)}


def certificate_json(record: CertificateRecord) -> Json:
    """The record as a part of a report, with the headline of each kind."""
    found: dict[str, Json] = record.model_dump(mode="json")
    return {**found, "headlines": [str(grade) for grade in record.headlines]}


def model_record(artifact: Artifact) -> ReportData:
    """The model, and what it was trained on."""
    manifest = artifact.manifest
    return {
        "name": artifact.name,
        "version": artifact.version,
        "digest": artifact.digest,
        "detector": manifest.detector.name,
        "dataset": manifest.provenance.dataset,
        "pictures": manifest.provenance.pictures,
    }


def dataset_record(evaluation: Evaluation, description: str, selections: Sequence[Selection]) -> ReportData:
    """The pictures of an evaluation in numbers.

    `selections` are those of the models, with the same pictures: `seen` is the number of evaluated pictures that any of
    the models has seen.
    """
    excluded = len(selections[0].excluded) if selections else 0
    taken = MasksTaken.of(evaluation.pictures)
    pictures = selections[0].pictures if selections else ()
    return {
        "description": description,
        "listed": len(evaluation.pictures) + len(evaluation.unreadable) + excluded,
        "pictures": len(evaluation.pictures),
        "normal": evaluation.image.normal,
        "anomalous": evaluation.image.anomalous,
        "with_mask": taken.files,
        "masks": _masks(taken),
        "regions": evaluation.regions,
        "unreadable": len(evaluation.unreadable),
        "excluded": excluded,
        "seen": sum(any(picture.path in each.uses for each in selections) for picture in pictures),
    }


def _masks(taken: MasksTaken) -> Json:
    return {
        "summary": taken.summary,
        "files": taken.files,
        "lossy": taken.lossy,
        "soft": taken.soft,
        "resized": taken.resized,
        "empty": len(taken.empty),
        "large": len(taken.large),
        "missing": len(taken.missing),
    }


def interval_method() -> ReportData:
    """How intervals are computed."""
    return {"confidence": LEVEL, "resamples": RESAMPLES, "seed": SEED}


def _intervals(intervals: Intervals) -> Json:
    return {
        **interval_method(),
        "method": "image recall and false_positive_rate: Clopper-Pearson; all others: percentiles of a bootstrap over "
        "pictures, drawn per label. Pixels are counted on a grid of values; grid_error is the metric on this grid less "
        "the exact metric, by which the intervals of pixels are corrected.",
        "image": {name: list(ends) for name, ends in intervals.image.items()},
        "pixel": {name: list(ends) for name, ends in intervals.pixel.items()},
        "grid_error": dict(intervals.grid_error),
    }


def _operating_point(point: OperatingPoint) -> Json:
    found = _confusion(point.found, point.raw_threshold)
    ends = {f"{name}_interval": list(interval) for name, interval in share_intervals_of(point.found).items()}
    return {"wanted": point.wanted, **found, **ends, "threshold": point.threshold, "raw_threshold": point.raw_threshold}


def _level(level: Level, threshold: float) -> Json:
    ranking = level.ranking
    best = None if ranking is None else ranking.best_f1
    return {
        "normal": level.normal,
        "anomalous": level.anomalous,
        "auroc": ranking and ranking.auroc,
        "average_precision": ranking and ranking.average_precision,
        "aupro": {} if ranking is None else {str(limit): area for limit, area in ranking.aupro.items()},
        "best_f1": best
        and {"f1": best.f1, "threshold": best.threshold, "precision": best.precision, "recall": best.recall},
        "at_threshold": level.at_threshold and _confusion(level.at_threshold, threshold),
        "roc": [] if ranking is None else ranking.roc.round(6).tolist(),
        "precision_recall": [] if ranking is None else ranking.precision_recall.round(6).tolist(),
    }


def _confusion(found: Confusion, threshold: float) -> ReportData:
    return {
        "threshold": threshold,
        "f1": found.f1,
        "precision": found.precision,
        "recall": found.recall,
        "false_positive_rate": found.false_positive_rate,
        "true_positives": found.true_positives,
        "false_positives": found.false_positives,
        "true_negatives": found.true_negatives,
        "false_negatives": found.false_negatives,
    }


def _kind(found: KindResult) -> Json:
    return {
        "kind": found.kind,
        "pictures": found.pictures,
        "detected": found.detected,
        "detection_rate": found.detection_rate,
        "detection_interval": None if found.detected is None else list(share_interval(found.detected, found.pictures)),
        "image_auroc": found.image_auroc,
        "pixel_auroc": found.pixel_auroc,
        "aupro": {str(limit): area for limit, area in found.aupro.items()},
    }


def _pictures(
    evaluation: Evaluation, selections: Sequence[Selection], explained: Mapping[int, RegionEvidence]
) -> ReportData:
    root = common_folder(evaluation, selections)
    pictures: list[Json] = [
        _picture(result, root) | {"evidence": _evidence(explained[number]) if number in explained else None}
        for number, result in enumerate(evaluation.pictures)
    ]
    return {
        "pictures": pictures,
        "unreadable": unreadable_record(evaluation, root),
        "excluded": [
            {"file": relative_name(picture.path, root), "kind": picture.kind, "used": selection.uses[picture.path]}
            for selection in selections
            for picture in selection.excluded
        ],
    }


def common_folder(evaluation: Evaluation, selections: Sequence[Selection]) -> Path:
    """The common folder of all pictures, to which reports give the names of pictures."""
    paths = [result.path for result in evaluation.pictures] + [left_out.path for left_out in evaluation.unreadable]
    paths += [picture.path for selection in selections for picture in selection.excluded]
    return Path(commonpath([path.absolute().parent for path in paths]))


def unreadable_record(evaluation: Evaluation, root: Path) -> list[Json]:
    """The pictures that cannot be read, and the reasons."""
    found: list[Json] = []
    for left_out in evaluation.unreadable:
        name = relative_name(left_out.path, root)
        found.append({"file": name, "reason": left_out.reason.replace(str(left_out.path), name)})
    return found


def relative_name(path: Path, root: Path) -> str:
    """The path relative to the common folder of all pictures, so that the report reveals no paths of the machine."""
    return path.absolute().relative_to(root).as_posix()


def _evidence(found: RegionEvidence) -> ReportData:
    box = found.patch
    return {
        "ratio": found.ratio,
        "patch": {"x": box.left, "y": box.top, "width": box.width, "height": box.height},
        "nearest": [
            {"picture": each.name, "x": each.place[1], "y": each.place[0], "distance": each.distance}
            for each in found.nearest
        ],
    }


def _picture(result: PictureResult, root: Path) -> dict[str, Json]:
    return {
        "file": relative_name(result.path, root),
        "kind": result.kind,
        "anomalous": result.anomalous,
        "mask": result.mask is not None,
        "height": result.size[0],
        "width": result.size[1],
        "score": result.score,
        "raw_score": result.raw_score,
        "peak": result.peak,
        "exceeds": result.exceeds,
        "regions": result.regions,
        "largest_region": result.largest_region,
    }

"""`compare.json` and `compare.html`: two models on the same pictures."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from app.artifacts import Artifact
from app.evaluation.compare import Comparison, Difference
from app.evaluation.figures import FIGURES
from app.evaluation.headline import headline
from app.evaluation.report.page import render
from app.evaluation.report.record import (
    Json,
    ReportData,
    common_folder,
    dataset_record,
    interval_method,
    model_record,
    relative_name,
    unreadable_record,
)
from app.evaluation.report.write import replace_files
from app.evaluation.result import Evaluation
from app.evaluation.seen import Selection
from app.version import VERSION

COMPARISON, COMPARISON_PAGE = "compare.json", "compare.html"
SCHEMA_VERSION = 1
LABELS = {figure.name: figure.label for figure in FIGURES}
Thumbnails = Mapping[int, bytes]
"""JPEG files by the number of the picture."""


def make_comparison_record(
    comparison: Comparison,
    evaluations: tuple[Evaluation, Evaluation],
    artifacts: tuple[Artifact, Artifact],
    dataset: str,
    notes: list[str],
    *,
    selections: tuple[Selection, Selection],
) -> ReportData:
    """The content of `compare.json`. The page shows no other numbers.

    `selections` are those of both models, with the same pictures.
    """
    root = common_folder(evaluations[0], selections)
    pictures: list[Json] = [_picture(evaluations, number, root) for number in range(len(evaluations[0].pictures))]
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tessera_version": VERSION,
        "models": [
            {**model_record(artifact), "headline": headline(evaluation)}
            for artifact, evaluation in zip(artifacts, evaluations, strict=True)
        ],
        "dataset": dataset_record(evaluations[0], dataset, selections),
        "notes": list(notes),
        "intervals": interval_method(),
        "image": {name: _difference(each) for name, each in comparison.image.items()},
        "pixel": {name: _difference(each) for name, each in comparison.pixel.items()},
        "defects": asdict(comparison.defects),
        "normal": asdict(comparison.normal),
        "changed": list(comparison.changed),
        "pictures": pictures,
        "unreadable": unreadable_record(evaluations[0], root),
        "excluded": [
            {
                "file": relative_name(picture.path, root),
                "kind": picture.kind,
                "used": [each.uses.get(picture.path) for each in selections],
            }
            for picture in selections[0].excluded
        ],
    }


def write_comparison(directory: Path, record: ReportData, thumbnails: tuple[Thumbnails, Thumbnails]) -> None:
    """Writes `compare.json` and `compare.html`. `thumbnails` are those of each model. Keeps other files."""
    page = render("compare.html.jinja", record, ("table.js",), thumbnails=thumbnails, labels=LABELS)
    content = json.dumps(record, indent=1, allow_nan=False) + "\n"
    replace_files(directory, {COMPARISON: content, COMPARISON_PAGE: page})


def _difference(found: Difference) -> Json:
    return {**asdict(found), "difference": found.difference}


def _picture(evaluations: tuple[Evaluation, Evaluation], number: int, root: Path) -> Json:
    results = [evaluation.pictures[number] for evaluation in evaluations]
    return {
        "file": relative_name(results[0].path, root),
        "kind": results[0].kind,
        "anomalous": results[0].anomalous,
        "scores": [each.score for each in results],
        "raw_scores": [each.raw_score for each in results],
        "exceeds": [each.exceeds for each in results],
    }

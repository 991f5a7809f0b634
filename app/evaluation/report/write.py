"""Writes a report. After an error an existing report is unchanged."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from app.artifacts import CertificateRecord
from app.evaluation.report.gallery import Gallery
from app.evaluation.report.page import render_page
from app.evaluation.report.record import ReportData
from app.files import naming, sweep, unfinished_directory

METRICS, PAGE = "metrics.json", "report.html"


def write_report(
    directory: Path, record: ReportData, gallery: Gallery, certificate: CertificateRecord | None = None
) -> None:
    """Writes `metrics.json` and `report.html` into the directory. Other files in it are not changed.

    certificate: what the page shows of `tessera certify`
    """
    metrics = json.dumps(record, indent=1, allow_nan=False) + "\n"
    replace_files(directory, {METRICS: metrics, PAGE: render_page(record, gallery, certificate)})


def replace_files(directory: Path, contents: Mapping[str, str]) -> None:
    """Writes files into a directory: all of them, or none if one cannot be written. Creates a missing directory.

    All files are written to a temporary directory beside their places, and flushed, before the first is renamed. If the
    machine stops between two renames, every file is complete, but only some are new.
    """
    directory.mkdir(parents=True, exist_ok=True)
    sweep(directory)
    with naming(directory), unfinished_directory(directory) as temporary:
        new, old = temporary / "new", temporary / "old"
        new.mkdir()
        old.mkdir()
        for name, content in contents.items():
            with (new / name).open("w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        replaced: list[str] = []
        try:
            for name in contents:
                if (directory / name).exists():
                    shutil.copy2(directory / name, old / name)
                (new / name).replace(directory / name)
                replaced.append(name)
        except OSError:
            for name in replaced:
                if (old / name).exists():
                    (old / name).replace(directory / name)
                else:
                    (directory / name).unlink()
            raise

"""Writing a report: an existing one is replaced as a whole, or left as it was."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from app.evaluation.report.gallery import Gallery
from app.evaluation.report.page import render_page
from app.evaluation.report.record import ReportData

METRICS, PAGE = "metrics.json", "report.html"


def write_report(directory: Path, record: ReportData, gallery: Gallery) -> None:
    """Writes `metrics.json` and `report.html` into the directory; other files in it are left alone."""
    metrics = json.dumps(record, indent=1, allow_nan=False) + "\n"
    replace_files(directory, {METRICS: metrics, PAGE: render_page(record, gallery)})


def replace_files(directory: Path, contents: Mapping[str, str]) -> None:
    """Puts files into a directory, which is made if need be: all of them, or none if one cannot be put.

    All are written and flushed beside their places before the first is renamed; a machine that stops between two
    renames leaves whole files, of which some are new.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".writing-", dir=directory) as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
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

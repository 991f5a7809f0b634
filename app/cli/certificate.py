"""Measures the certificate of a version, prints it and writes it."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.artifacts import (
    CERTIFICATE,
    Artifact,
    CertificateRecord,
    Entry,
    GradeRecord,
    PlaceRecord,
    write_certificate,
)
from app.data import DataModule, LabelledPicture, UnreadablePolicy, decoded, spread
from app.evaluation.certificate import Certified, MarkedPictures, Plan, certify
from app.evaluation.report import CERTIFICATE_PAGE, write_certificate_page
from app.progress import Progress
from app.terminal import add_row, print_line, print_skipped, progress_bars
from app.version import VERSION

PICTURES = 24
"""The number of pictures into which marks are drawn, spread over the data set."""

FEW_MARKS = 30
"""With fewer marks of each kind and contrast, a note says that intervals are wide."""


def certify_version(
    entry: Entry,
    artifact: Artifact,
    data: DataModule,
    unseen: Sequence[LabelledPicture],
    plan: Plan,
    output: Path | None,
    notes: Sequence[str] = (),
) -> CertificateRecord:
    """Measures, prints and writes the certificate of a version.

    unseen: normal pictures that the model has not seen
    output: a folder for the page and a copy of the certificate
    notes: sentences to print
    """
    with progress_bars() as report:
        pictures = _marked_pictures(artifact, data, unseen, report)
        certified = certify(pictures, plan, report)
    record = certificate_record(certified, pictures, artifact, data.description, plan.seed)
    write_certificate(entry.path, record)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(_table(record, artifact))
    for grade in record.headlines:
        console.print(str(grade), soft_wrap=True)
    for note in (*notes, *_notes(record)):
        print_line(f"note: {note}")
    print_line(f"wrote {entry.path / CERTIFICATE}")
    if output is not None:
        write_certificate_page(output, record, artifact)
        print_line(f"wrote {output / CERTIFICATE_PAGE} and {output / CERTIFICATE}")
    return record


def _marked_pictures(
    artifact: Artifact, data: DataModule, unseen: Sequence[LabelledPicture], report: Progress
) -> MarkedPictures:
    """Some of the pictures, spread over all, as far as memory allows, measured without marks."""
    chosen = list(unseen)
    if len(chosen) > PICTURES:
        _, chosen = spread(chosen, PICTURES)
    pictures = MarkedPictures(artifact.model, artifact.calibration)
    policy = UnreadablePolicy(data.on_unreadable, print_skipped)
    for number, image in enumerate(decoded([each.path for each in chosen], data.num_workers, policy), start=1):
        pictures.add(image)
        report("pictures", number, len(chosen))
        if pictures.is_full:
            break
    return pictures


def certificate_record(
    certified: Certified, pictures: MarkedPictures, artifact: Artifact, dataset: str, seed: int
) -> CertificateRecord:
    """The record of what was measured."""
    return CertificateRecord(
        digest=artifact.digest,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        tessera_version=VERSION,
        dataset=dataset[:300],
        pictures=len(pictures),
        size=pictures.size,
        seed=seed,
        marks=certified.marks,
        false_alarms=certified.false_alarms,
        grades=tuple(grade.record() for grade in certified.grades),
        grid=certified.grid,
        places=certified.places,
    )


def _table(record: CertificateRecord, artifact: Artifact) -> Table:
    title = f"{artifact.name} {artifact.version}: size in pixels that is found with 95 % probability"
    table = Table("mark", "contrast", "size", "95 % interval", "marks", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for grade in record.grades:
        tried = sum(each.tried for each in grade.tried)
        cells = size_text(grade), interval_text(grade), str(tried)
        add_row(table, grade.kind, f"{100 * grade.contrast:.3g} %", *cells)
    return table


def size_text(grade: GradeRecord) -> str:
    """The size of a grade in words."""
    if not grade.tried:
        return "no place"
    return f"over {grade.tried[-1].size}" if grade.smallest is None else f"{grade.smallest:.2g}"


def interval_text(grade: GradeRecord) -> str:
    """The interval of a grade in words; an open end is that of the sizes that were tried."""
    if not grade.tried:
        return ""
    low = f"{grade.low:.2g}" if grade.low is not None else "..."
    return f"{low} to {'...' if grade.high is None else f'{grade.high:.2g}'}"


def _notes(record: CertificateRecord) -> list[str]:
    notes = [
        f"without marks, {record.false_alarms} of these pictures are called anomalous (95 % interval in parentheses)"
    ]
    if record.marks < FEW_MARKS:
        notes.append(
            f"{record.marks} marks of each kind and contrast are few, and intervals are wide; give more --marks, or a "
            "longer --budget"
        )
    worst = max(record.places, key=lambda place: place.factor)
    if worst.low > 1:
        row, column = divmod(record.places.index(worst), record.grid[1])
        notes.append(
            f"marks must be {worst.factor:.2g} times as large in row {row + 1} of {record.grid[0]}, column "
            f"{column + 1} of {record.grid[1]} of the picture ({_range(worst)})"
        )
    if any(not grade.tried for grade in record.grades):
        notes.append("no place: these pictures have no print of that contrast, or no part without a false alarm")
    return notes


def _range(place: PlaceRecord) -> str:
    return f"{place.low:.2g} to {place.high:.2g}"

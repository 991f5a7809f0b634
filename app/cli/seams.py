"""`tessera evaluate --seams`: compares tilings with the untiled network."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.artifacts import Artifact
from app.data import DataModule, LabelledPicture, Loader, UnreadablePolicy, spread
from app.evaluation.report import SEAMS, SEAMS_PAGE, draw_seams, make_seam_record, write_seams
from app.evaluation.report.seams import distance_labels
from app.evaluation.seams import SeamMeter, TilingErrors
from app.terminal import print_line, print_skipped, progress_bars
from app.training.memory import available_bytes

PICTURES = 4
"""The number of pictures that are compared, spread over the data set."""


def compare_tilings(artifact: Artifact, data: DataModule, pictures: Sequence[LabelledPicture], output: Path) -> None:
    """Measures some of the pictures, prints a table, and writes the report to the folder `output`."""
    meter = SeamMeter(artifact.model, available_bytes(artifact.model.device))
    _, chosen = spread(pictures, min(PICTURES, len(pictures)))
    files, drawn = [], None
    policy = UnreadablePolicy(data.on_unreadable, print_skipped)
    with (
        progress_bars() as report,
        Loader([picture.path for picture in chosen], data.num_workers, policy, keep_bytes=0) as loader,
    ):
        for number, image in loader.numbered():
            compared = meter.add(image)
            drawn = drawn or draw_seams(compared)
            files.append(chosen[number].path.name)
            report("pictures", number + 1, len(chosen))
    assert drawn is not None  # the loader raises InvalidDataset if it reads no picture
    results = meter.results()
    write_seams(output, make_seam_record(results, meter.sizes, files, artifact, data.description), drawn)
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(_table(results, artifact, len(files)))
    print_line(f"wrote {output / SEAMS} and {output / SEAMS_PAGE}")


def _table(results: Sequence[TilingErrors], artifact: Artifact, pictures: int) -> Table:
    labels = distance_labels()
    table = Table("tiling", "work", *(f"{label} px" for label in labels), f"picture's edge, {labels[0]} px", "largest")
    table.title = (
        f"{artifact.name} {artifact.version}: difference from the untiled network in % of the features, on {pictures} "
        "pictures, by distance from the edges of tiles"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for found in results:
        errors = map(_percent, (*found.at_tiles, found.at_picture[0], found.largest))
        table.add_row(found.name, f"{found.work:.2f}", *errors)
    return table


def _percent(error: float | None) -> str:
    return "" if error is None else f"{100 * error:.2g}"

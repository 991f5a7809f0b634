"""`results.csv`: one line for each picture of `tessera predict`."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path

from app.api.schemas.prediction import PredictionBody
from app.data import PYRAMID_ENDINGS, RESULT_ENDINGS, is_result
from app.errors import InvalidParameter
from app.files import open_regular, read_regular, replacing
from app.service.annotations import FORMATS, AnnotationFormat
from app.service.large import Pyramids

RESULTS = "results.csv"
COLUMNS = (
    *("path", "label", "score", "raw_score", "threshold", "regions"),
    *("region_x", "region_y", "region_width", "region_height", "region_area", "notes"),
    "region_zone",
)
"""`region_*` are the box in pixels, the area and the zone of the largest region; empty without one."""

UNREADABLE = "unreadable"
"""The label of a picture that could not be predicted; its line has the reason in `notes`."""

MOST_BODY_BYTES = 64 * 2**20
"""A larger file is no prediction: one with all its regions has some megabytes."""

REQUIRED = {name for name, field in PredictionBody.model_fields.items() if field.is_required()}
"""The fields that every prediction has."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Spreadsheets execute a cell that begins with one of these."""


@dataclass(frozen=True, slots=True)
class Result:
    """A picture with its prediction, or with the reason why there is none."""

    path: Path
    body: PredictionBody | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Targets:
    """The files that are written for a picture: the prediction as JSON, the overlay and the mask.

    pyramids: the overlay, mask and map of a large picture, which are written instead
    annotations: the regions in the formats that were asked for
    """

    body: Path
    overlay: Path
    mask: Path
    pyramids: Pyramids
    annotations: dict[AnnotationFormat, Path] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Path, ...]:
        """All of them."""
        return self.body, self.overlay, self.mask, *self.pyramids.all, *self.annotations.values()


def targets(target: Path, formats: Sequence[AnnotationFormat] = ()) -> Targets:
    """The files of a picture whose results have this path, without their endings."""
    body, overlay, mask, *pyramids = (
        target.with_name(target.name + ending) for ending in (".json", *RESULT_ENDINGS, *PYRAMID_ENDINGS)
    )
    annotations = {each: target.with_name(target.name + FORMATS[each].ending) for each in formats}
    return Targets(body, overlay, mask, Pyramids(*pyramids), annotations)


def require_output(output: Path, inputs: Iterable[Path], results: Iterable[Targets]) -> None:
    """Raises InvalidParameter if results would lie among the pictures of a folder, or overwrite other files.

    inputs: the files and folders to predict
    results: the files of each picture
    """
    among = [path for path in inputs if path.is_dir() and output.is_dir() and path.samefile(output)]
    if among:
        raise InvalidParameter(
            f"--output {output} is a folder of pictures to predict, and results would lie among them; give another "
            f"one, such as {among[0] / 'results'}"
        )
    foreign = [] if _is_own_list(output / RESULTS) else [output / RESULTS]
    seen: set[Path] = set()
    for written in results:
        if shared := seen.intersection(written.all):
            raise InvalidParameter(
                f"two of these pictures would have the result {min(shared)}; predict them separately"
            )
        seen.update(written.all)
        foreign += [] if _is_own_body(written.body) else [written.body]
        pictures = written.overlay, written.mask, *written.pyramids.all
        foreign += [path for path in pictures if path.exists() and not is_result(path)]
        foreign += [path for each, path in written.annotations.items() if not _is_own_annotation(each, path)]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise InvalidParameter(
            f"{foreign[0]}{more} would be overwritten, and is no result of this version of tessera predict; remove it, "
            "or give another --output"
        )


def _is_own_list(path: Path) -> bool:
    """Whether the file is absent, or a list of results."""
    if not path.exists():
        return True
    try:
        with TextIOWrapper(open_regular(path), encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])[: len(COLUMNS) - 1] == list(COLUMNS[:-1])  # the last one is new
    except (OSError, ValueError, csv.Error):
        return False


def _is_own_body(path: Path) -> bool:
    """Whether the file is absent, or a prediction."""
    if not path.exists():
        return True
    try:
        found = json.loads(read_regular(path, MOST_BODY_BYTES))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= REQUIRED


def _is_own_annotation(format: AnnotationFormat, path: Path) -> bool:
    """Whether the file is absent, or begins as one of `tessera predict`: tools write their own beginning instead."""
    if not path.exists():
        return True
    try:
        with open_regular(path) as file:
            mark = FORMATS[format].mark.encode()
            return file.read(len(mark)) == mark
    except OSError:
        return False


def write_results(folder: Path, results: Sequence[Result]) -> Path:
    """Writes the results into the folder, and returns the file: RFC 4180, in UTF-8, complete or not at all.

    All texts are quoted, because some spreadsheets also separate cells at semicolons. Bytes of a path that are not
    UTF-8 are written as escapes.
    """
    path = folder / RESULTS
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(COLUMNS)
        writer.writerows(_cells(result) for result in results)
    return path


def summary(results: Sequence[Result], highest: int = 3) -> list[str]:
    """The numbers of pictures by label, and the `highest` scores."""
    bodies = [(result.path, result.body) for result in results if result.body is not None]
    anomalous, unreadable = sum(body.label == "anomalous" for _, body in bodies), len(results) - len(bodies)
    counts = f"{anomalous} anomalous, {len(bodies) - anomalous} normal, {unreadable} {UNREADABLE}"
    lines = [f"{len(results)} picture{'s' * (len(results) != 1)}: {counts}"]
    ranked = sorted(bodies, key=lambda pair: (-pair[1].score, -pair[1].raw_score))[:highest]
    if ranked:
        lines.append("highest scores: " + ", ".join(f"{body.score:.3f} {path}" for path, body in ranked))
    return lines


def summed_notes(results: Sequence[Result]) -> list[str]:
    """A line for each kind of note, with the number of its pictures and the first message; `results.csv` has all."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for body in (result.body for result in results if result.body is not None):
        for note in body.notes:
            first.setdefault(note.code, note.message)
            counts[note.code] += 1
    return [
        f"note: {counts[code]} of {len(results)} pictures{', such as' * (counts[code] > 1)}: {message}"
        for code, message in first.items()
    ]


def _cells(result: Result) -> list[str | int | float]:
    body = result.body
    if body is None:
        return [_path(result.path), UNREADABLE, *[""] * 9, _text(result.reason), ""]
    region = max(body.regions, key=lambda each: each.area, default=None)
    place: list[str | int | float] = [""] * 5
    if region is not None:
        box = region.box
        place = [box.x, box.y, box.width, box.height, region.area]
    numbers = [body.score, body.raw_score, body.threshold, len(body.regions)]
    return [
        _path(result.path),
        str(body.label),
        *numbers,
        *place,
        _text("; ".join(note.message for note in body.notes)),
        _text(region.zone or "") if region else "",
    ]


def _path(path: Path) -> str:
    """The path; with `./` before it if a spreadsheet would take it for a formula. It still names the same file."""
    return f"./{path}" if str(path).startswith(_FORMULA) else str(path)


def _text(text: str) -> str:
    """The text; with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text

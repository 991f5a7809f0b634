"""The lines of the record, as CSV (RFC 4180) or as JSON lines."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.pipeline import DefectRegion
from app.service import Verdict

MOST_REGIONS = 100
"""The most defect regions in one line; the most anomalous come first."""
COLUMNS = (
    "time",
    "request_id",
    "picture_sha256",
    "model",
    "version",
    "model_digest",
    "score",
    "threshold",
    "label",
    "region_count",
    "regions",
    "share",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One picture's line.

    at_s: the time, in seconds since 1970 (UTC)
    regions: all defect regions, the most anomalous first
    """

    at_s: float
    request_id: str
    verdict: Verdict
    regions: Sequence[DefectRegion]

    def values(self) -> list[object]:
        """The values of COLUMNS. A region is [x, y, width, height, area, score]; the share is what was looked at."""
        verdict = self.verdict
        regions = [
            [each.left, each.top, each.width, each.height, each.area, round(each.score, 6)]
            for each in self.regions[:MOST_REGIONS]
        ]
        time = datetime.fromtimestamp(self.at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return [
            time,
            self.request_id,
            verdict.picture_digest or "",
            verdict.model,
            verdict.version,
            verdict.digest,
            verdict.score,
            verdict.threshold,
            verdict.label.value,
            len(self.regions),
            regions,
            verdict.share,
        ]


@dataclass(frozen=True, slots=True)
class Form:
    """How lines are written. Every line ends with a line feed, and has no other.

    head: what stands at the beginning of each file
    encode: writes one line
    """

    head: bytes
    encode: Callable[[Line], bytes]


def _csv_row(values: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


def _as_csv(line: Line) -> bytes:
    time, request_id, *values, regions, share = line.values()
    if str(request_id).startswith(("=", "+", "-")):
        request_id = f"'{request_id}"  # a spreadsheet would compute it
    return _csv_row([time, request_id, *values, json.dumps(regions, separators=(",", ":")), share])


def _as_json(line: Line) -> bytes:
    return json.dumps(dict(zip(COLUMNS, line.values(), strict=True)), separators=(",", ":")).encode() + b"\n"


FORMS = {
    ".csv": Form(_csv_row(COLUMNS), _as_csv),
    ".jsonl": Form(b"", _as_json),
    ".ndjson": Form(b"", _as_json),
}
"""The form by the ending of the file's name."""

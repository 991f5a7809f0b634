"""Reports as pages: one HTML file each, without external resources.

Jinja escapes all text from files and models by default, its templates read like the pages, and torch depends on it
already. The content security policy of a page allows the page's own scripts, by their hashes, and nothing else.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app.artifacts import CertificateRecord
from app.evaluation.headline import percent
from app.evaluation.report import plots
from app.evaluation.report.certificate_drawing import draw_certificate
from app.evaluation.report.gallery import Gallery
from app.evaluation.report.record import Json, ReportData
from app.scoring import share_intervals

TEMPLATES = Path(__file__).parent / "templates"
ABSENT = Markup('<span class="absent">n/a</span>')
PERCENT = "percent"
"""The format of a share that is shown in percent."""


def render_page(record: ReportData, gallery: Gallery, certificate: CertificateRecord | None = None) -> str:
    """The page of an evaluation, and of the model's certificate if it has one.

    Every number in it comes from the record.
    """
    data = threshold_data(record)
    return render(
        "report.html.jinja",
        record,
        ("table.js", "threshold.js"),
        gallery=gallery,
        thumbnails={number: shown.jpeg for number, shown in gallery.shown.items()},
        strips={number: shown.explained.strip for number, shown in gallery.shown.items() if shown.explained},
        order=_worst_first(record),
        histogram=_histogram(record),
        certificate=None if certificate is None else draw_certificate(certificate),
        data=_as_script_data(data),
    )


def render(template: str, record: ReportData, scripts: Sequence[str], **values: object) -> str:
    """The page of a template in `templates`, with these scripts."""
    environment = Environment(
        loader=PackageLoader("app.evaluation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def number(path: str, form: str = ".4f") -> Markup:
        value = look_up(record, path)
        if value is None:
            return ABSENT
        assert isinstance(value, int | float), path
        text = f"{percent(value)} %" if form == PERCENT else format(value, "," if isinstance(value, int) else form)
        return Markup('<data value="{}" data-key="{}">{}</data>').format(repr(value), path, text)

    sources = [(TEMPLATES / name).read_text(encoding="utf-8") for name in scripts]
    return environment.get_template(template).render(
        record=record, number=number, has=lambda path: look_up(record, path) is not None, plots=plots,
        data_uri=_data_uri, scripts=[Markup(source) for source in sources], hashes=[_hash(each) for each in sources],
        **values,
    )  # fmt: skip


def threshold_data(record: ReportData) -> Mapping[str, Json]:
    """What the script needs to show the verdicts at other thresholds than the model's.

    scores, anomalous: the normalised score and the label of each picture
    raw: the raw scores of the normalised scores 0 and 1
    recall, false_alarms: the interval of each possible count
    """
    pictures, calibration = record["pictures"], record["calibration"]
    assert isinstance(pictures, list)
    assert isinstance(calibration, Mapping)
    threshold, low, high = (_float(calibration[f"image_{name}"]) for name in ("threshold", "min", "max"))
    anomalous = [picture["anomalous"] for picture in pictures]
    return {
        "scores": [picture["score"] for picture in pictures],
        "anomalous": anomalous,
        "raw": [threshold - (high - low) / 2, threshold + (high - low) / 2],
        "recall": _intervals(sum(anomalous)),
        "false_alarms": _intervals(len(anomalous) - sum(anomalous)),
    }


def look_up(record: Json, path: str) -> Json:
    """The value at a path of keys and indices, separated by slashes; None if the path does not exist."""
    value = record
    for key in path.split("/"):
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list):
            value = value[int(key)]
        else:
            return None
    return value


def _float(value: Json) -> float:
    assert isinstance(value, int | float)
    return value


def _intervals(total: int) -> Json:
    found: Json = share_intervals(range(total + 1), total).round(4).tolist() if total else []
    return found


def _as_script_data(data: Mapping[str, Json]) -> Markup:
    """JSON for a script element, which must not contain `<`."""
    return Markup(json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))


def _hash(script: str) -> str:
    return "sha256-" + b64encode(sha256(script.encode()).digest()).decode("ascii")


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")


def _worst_first(record: ReportData) -> list[int]:
    """The numbers of the pictures: first those that are farthest on the wrong side of the threshold."""
    pictures = record["pictures"]
    assert isinstance(pictures, list)
    return sorted(range(len(pictures)), key=lambda number: wrongness(pictures[number]), reverse=True)


def wrongness(picture: Mapping[str, Json]) -> float:
    """How far a score is on the wrong side of the model's threshold; negative on the right side."""
    score = picture["score"]
    assert isinstance(score, float)
    return 0.5 - score if picture["anomalous"] else score - 0.5


def _histogram(record: ReportData) -> plots.Histogram:
    scores: dict[bool, list[float]] = {False: [], True: []}
    pictures = record["pictures"]
    assert isinstance(pictures, list)
    for picture in pictures:
        scores[picture["anomalous"]].append(picture["score"])
    return plots.histogram(scores[False], scores[True])

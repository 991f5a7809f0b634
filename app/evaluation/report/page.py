"""The report as a page: one HTML file without external resources.

Jinja escapes all text from files and models by default, its template reads like the page, and torch depends on it
already.
"""

from base64 import b64encode
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app.evaluation.report import plots
from app.evaluation.report.gallery import Gallery
from app.evaluation.report.record import Json, ReportData

TEMPLATE = "report.html.jinja"
ABSENT = Markup('<span class="absent">n/a</span>')


def render_page(record: ReportData, gallery: Gallery) -> str:
    """The page of an evaluation. Every number in it comes from the record."""
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
        text = format(value, "," if isinstance(value, int) else form)
        return Markup('<data value="{}" data-key="{}">{}</data>').format(repr(value), path, text)

    return environment.get_template(TEMPLATE).render(
        record=record, number=number, has=lambda path: look_up(record, path) is not None, gallery=gallery, plots=plots,
        data_uri=_data_uri, histogram=_histogram(record),
    )  # fmt: skip


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


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")


def _histogram(record: ReportData) -> plots.Histogram:
    scores: dict[bool, list[float]] = {False: [], True: []}
    pictures, threshold = record["pictures"], look_up(record, "calibration/image_threshold")
    assert isinstance(pictures, list)
    assert isinstance(threshold, float)
    for picture in pictures:
        scores[picture["anomalous"]].append(picture["raw_score"])
    return plots.histogram(scores[False], scores[True], threshold)

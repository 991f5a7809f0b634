import io
import json
import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.artifacts import Artifact
from app.data import LabelledPicture
from app.evaluation import Procedure, evaluate
from app.evaluation.report import METRICS, PAGE, Gallery, make_record, write_report
from app.evaluation.report.page import look_up, render_page
from app.evaluation.report.write import replace_files

VOID = {"meta", "img", "br", "path", "rect", "circle"}


class Page(HTMLParser):
    """The parsed page: its tags, which must be closed in order, its text, and its marked numbers."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.numbers, self._open = "", list[tuple[str, str, str]](), list[str]()
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open[-1:] == ["data"]:
            found = self.tags[-1][1]
            self.numbers.append((str(found["data-key"]), str(found["value"]), data))


def report(artifact: Artifact, pictures: list[LabelledPicture], output: Path) -> tuple[dict[str, Any], str]:
    """A report of these pictures, written and read again."""
    gallery = Gallery(artifact.manifest.calibration.build())
    how = Procedure(on_unreadable="skip", scratch=output.parent)
    found = evaluate(artifact.model, pictures, artifact.manifest.calibration.build(), how, observe=gallery.add)
    write_report(output, make_record(found, artifact, "MVTec layout, category <steel>"), gallery)
    return json.loads((output / METRICS).read_text()), (output / PAGE).read_text()


@pytest.fixture(scope="module")
def written(
    artifact: Artifact, pictures: list[LabelledPicture], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], str]:
    root = tmp_path_factory.mktemp("report")
    broken = pictures[0].path.parent / "broken<b>.png"
    broken.write_bytes(b"no picture")
    found = report(artifact, [*pictures, LabelledPicture(broken, "good", None)], root / "output")
    broken.unlink()
    return found


def test_metrics_json_holds_model_dataset_and_metrics(written: tuple[dict[str, Any], str], artifact: Artifact) -> None:
    record, _ = written
    assert record["image_auroc"] == record["image"]["auroc"] > 0.5
    assert record["pixel_auroc"] == record["pixel"]["auroc"] > 0.5
    assert record["model"]["digest"] == artifact.digest
    assert (record["model"]["name"], record["model"]["version"]) == ("patchcore", 1)
    assert record["calibration"]["protocol"] == "held-out-normal"
    assert record["warning"] is None
    assert record["dataset"]["anomalous"] == 7
    assert [kind["kind"] for kind in record["kinds"]] == ["hole", "scratch", "stain"]
    files = {picture["file"]: picture for picture in record["pictures"]}
    assert files["stain/0.png"]["anomalous"]
    assert not files["good/3.png"]["mask"]
    assert record["unreadable"][0]["file"] == "good/broken<b>.png"
    assert record["unreadable"][0]["reason"].startswith("good/broken<b>.png")
    for level in ("image", "pixel"):
        assert 2 <= len(record[level]["roc"]) <= 1000
        assert 1 <= len(record[level]["precision_recall"]) <= 1000


def test_the_page_loads_no_other_file(written: tuple[dict[str, Any], str]) -> None:
    _, source = written
    page = Page(source)
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r'src="data:image/jpeg;base64,[\w+/=]*"', "", source))
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "embed", "use"})
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name == "href" for name in attributes)
        if "src" in attributes:
            assert tag == "img"
            assert str(attributes["src"]).startswith("data:image/jpeg;base64,")
            assert attributes["alt"]


def test_every_number_of_the_page_is_in_metrics_json(written: tuple[dict[str, Any], str]) -> None:
    record, source = written
    numbers = Page(source).numbers
    assert len(numbers) > 60
    for key, value, text in numbers:
        found = look_up(record, key)
        assert isinstance(found, int | float)
        assert float(value) == found
        assert float(text.replace(",", "")) == pytest.approx(found, rel=5e-3, abs=5e-4)


def test_the_page_shows_the_lowest_defects_and_the_highest_normal_pictures(written: tuple[dict[str, Any], str]) -> None:
    record, source = written
    shown = [str(attributes["alt"]) for tag, attributes in Page(source).tags if tag == "img"]
    ranked = sorted(record["pictures"], key=lambda picture: picture["raw_score"])
    misses = [picture["file"] for picture in ranked if picture["anomalous"]][:6]
    alarms = [picture["file"] for picture in reversed(ranked) if not picture["anomalous"]][:6]
    assert [alt.split(" with")[0] for alt in shown] == misses + alarms
    for _, attributes in (each for each in Page(source).tags if each[0] == "img"):
        with Image.open(io.BytesIO(b64decode(str(attributes["src"]).partition(",")[2]))) as image:
            assert image.size == (160, 96)


def test_text_of_files_and_models_is_escaped(written: tuple[dict[str, Any], str]) -> None:
    _, source = written
    assert "broken<b>" not in source
    assert "broken&lt;b&gt;.png" in source
    assert "category &lt;steel&gt;" in source


@pytest.mark.parametrize(
    ("protocol", "words"),
    [("reference", "test pictures"), ("training-normal", "fitted to"), ("imported", "")],
)
def test_optimistic_thresholds_have_a_warning(
    artifact: Artifact, pictures: list[LabelledPicture], protocol: str, words: str
) -> None:
    calibration = artifact.manifest.calibration.model_copy(update={"protocol": protocol})
    optimistic = replace(artifact, manifest=artifact.manifest.model_copy(update={"calibration": calibration}))
    found = evaluate(artifact.model, pictures[:1], calibration.build())
    record = make_record(found, optimistic, "surfaces")
    assert words in str(record["warning"])
    assert str(record["warning"]) in Page(render_page(record, Gallery(calibration.build()))).text


@pytest.mark.parametrize("kinds", [{"good"}, {"stain"}, {"good", "scratch"}, {"scratch"}])
def test_metrics_that_cannot_be_computed_are_absent(
    artifact: Artifact, pictures: list[LabelledPicture], kinds: set[str], tmp_path: Path
) -> None:
    chosen = [picture for picture in pictures if picture.kind in kinds]
    record, source = report(artifact, chosen, tmp_path / "report")
    assert (record["image_auroc"] is None) == (kinds != {"good", "scratch"})
    assert (record["pixel_auroc"] is None) == (kinds != {"stain"})
    text = Page(source).text
    assert "n/a" in text
    assert record["notes"][0] in text


def test_a_report_is_replaced_completely_or_not_at_all(tmp_path: Path) -> None:
    output = tmp_path / "deep/report"
    replace_files(output, {"a": "old", "b": "old"})
    (output / "notes.txt").write_text("mine")
    replace_files(output, {"a": "new", "b": "new"})
    assert {path.name: path.read_text() for path in output.iterdir()} == {"a": "new", "b": "new", "notes.txt": "mine"}
    (output / "c").mkdir()
    with pytest.raises(OSError, match="c"):
        replace_files(output, {"a": "newer", "d": "newer", "c": "newer"})
    (output / "c").rmdir()
    assert {path.name: path.read_text() for path in output.iterdir()} == {"a": "new", "b": "new", "notes.txt": "mine"}

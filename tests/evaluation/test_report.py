import io
import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.artifacts import Artifact
from app.data import LabelledPicture
from app.evaluation import Procedure, evaluate
from app.evaluation.report import METRICS, PAGE, Gallery, make_record, write_report
from app.evaluation.report.page import look_up, render_page
from app.evaluation.report.write import replace_files
from app.pipeline import predict
from app.scoring import find_regions

VOID = {"meta", "img", "br", "path", "rect", "circle", "input"}


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
    how = Procedure(on_unreadable="skip", scratch=output.parent, intervals=True)
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
    assert record["headline"].startswith("finds ")
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
    assert {tag for tag, _ in page.tags}.isdisjoint({"link", "iframe", "object", "embed", "use"})
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name == "href" for name in attributes)
        if "src" in attributes:
            assert tag == "img"
            assert str(attributes["src"]).startswith("data:image/jpeg;base64,")
            assert attributes["alt"]


def test_only_the_scripts_of_the_page_may_run(written: tuple[dict[str, Any], str]) -> None:
    _, source = written
    policy = next(str(found["content"]) for tag, found in Page(source).tags if found.get("http-equiv"))
    scripts = re.findall(r'<script type="module">(.*?)</script>', source, re.DOTALL)
    hashes = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    assert len(hashes) == 2
    assert f"script-src {' '.join(hashes)}" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_every_number_of_the_page_is_in_metrics_json(written: tuple[dict[str, Any], str]) -> None:
    record, source = written
    numbers = Page(source).numbers
    assert len(numbers) > 100
    for key, value, text in numbers:
        found = look_up(record, key)
        assert isinstance(found, int | float)
        assert float(value) == found
        if text.endswith(" %"):
            assert float(text.removesuffix(" %")) == pytest.approx(100 * found, abs=0.5)
        else:
            assert float(text.replace(",", "")) == pytest.approx(found, rel=5e-3, abs=1e-3)


def rows(source: str) -> list[dict[str, str | None]]:
    return [attributes for tag, attributes in Page(source).tags if tag == "tr" and "data-state" in attributes]


def test_the_page_lists_every_picture_once_the_worst_verdicts_first(written: tuple[dict[str, Any], str]) -> None:
    record, source = written
    listed = rows(source)
    numbers = [int(str(each["data-number"])) for each in listed if "data-number" in each]
    assert sorted(numbers) == list(range(len(record["pictures"])))
    assert [each["data-state"] for each in listed[len(numbers) :]] == ["left out"]
    pictures = [record["pictures"][number] for number in numbers]
    wrong = [0.5 - each["score"] if each["anomalous"] else each["score"] - 0.5 for each in pictures]
    assert wrong == sorted(wrong, reverse=True)
    states = {(True, True): "found", (True, False): "missed", (False, True): "false alarm", (False, False): "normal"}
    assert [each["data-state"] for each in listed[:-1]] == [
        states[picture["anomalous"], picture["exceeds"]] for picture in pictures
    ]
    for _, attributes in (each for each in Page(source).tags if each[0] == "img"):
        with Image.open(io.BytesIO(b64decode(str(attributes["src"]).partition(",")[2]))) as image:
            assert image.size == (160, 96)


def test_pictures_that_do_not_fit_are_listed_without_a_drawing(
    artifact: Artifact, pictures: list[LabelledPicture]
) -> None:
    gallery = Gallery(artifact.calibration, max_bytes=12_000)
    found = evaluate(artifact.model, pictures, artifact.calibration, observe=gallery.add)
    source = render_page(make_record(found, artifact, "surfaces"), gallery)
    drawn = sum(tag == "img" for tag, _ in Page(source).tags)
    assert 0 < drawn < len(pictures) == len(rows(source))
    assert f"{len(pictures) - drawn} of {len(pictures)} pictures are not drawn" in source


def test_the_data_of_the_slider_are_those_of_metrics_json(written: tuple[dict[str, Any], str]) -> None:
    record, source = written
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', source, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert data["scores"] == [picture["score"] for picture in record["pictures"]]
    assert data["anomalous"] == [picture["anomalous"] for picture in record["pictures"]]
    for score, picture in zip(data["scores"], record["pictures"], strict=True):
        if 0 < score < 1:
            low, high = data["raw"]
            assert low + score * (high - low) == pytest.approx(picture["raw_score"])
    at = record["image"]["at_threshold"]
    assert len(data["recall"]) == record["image"]["anomalous"] + 1
    assert data["recall"][at["true_positives"]] == pytest.approx(record["intervals"]["image"]["recall"], abs=1e-4)
    assert len(data["false_alarms"]) == record["image"]["normal"] + 1
    interval = record["intervals"]["image"]["false_positive_rate"]
    assert data["false_alarms"][at["false_positives"]] == pytest.approx(interval, abs=1e-4)


def test_recall_is_listed_with_its_threshold_and_price(written: tuple[dict[str, Any], str]) -> None:
    record, _ = written
    assert record["recall"]
    for point in record["recall"]:
        over = [picture for picture in record["pictures"] if picture["score"] > point["threshold"]]
        assert sum(picture["anomalous"] for picture in over) == point["true_positives"]
        assert sum(not picture["anomalous"] for picture in over) == point["false_positives"]
        assert point["recall"] >= point["wanted"]
        assert point["recall_interval"][0] <= point["recall"] <= point["recall_interval"][1]


def test_kinds_have_intervals_of_their_recall(written: tuple[dict[str, Any], str]) -> None:
    record, _ = written
    for kind in record["kinds"]:
        low, high = kind["detection_interval"]
        assert low <= kind["detection_rate"] <= high
        assert high - low > 0.4  # two or three pictures


def test_regions_of_pictures_are_those_over_the_pixel_threshold(
    written: tuple[dict[str, Any], str], artifact: Artifact, pictures: list[LabelledPicture]
) -> None:
    record, _ = written
    files = {picture["file"]: picture for picture in record["pictures"]}
    for picture in pictures:
        image = torch.from_numpy(np.array(Image.open(picture.path))).permute(2, 0, 1)
        anomaly_map = predict(artifact.model, image).anomaly_map.numpy()
        areas = [region.area for region in find_regions(anomaly_map, artifact.calibration.pixel_threshold)]
        found = files[f"{picture.kind}/{picture.path.name}"]
        assert (found["regions"], found["largest_region"]) == (len(areas), max(areas, default=0))


def test_text_of_files_and_models_is_escaped(written: tuple[dict[str, Any], str]) -> None:
    _, source = written
    assert "broken<b>" not in source
    assert "broken&lt;b&gt;.png" in source
    assert "category &lt;steel&gt;" in source


def test_a_file_name_cannot_become_part_of_a_script(
    artifact: Artifact, pictures: list[LabelledPicture], tmp_path: Path
) -> None:
    folder = tmp_path / "<script>alert(1)<"
    folder.mkdir()
    hostile = [
        LabelledPicture(folder / f"<script>alert({number})<.png", f'</script>"{kind}', None)
        for number, kind in enumerate(("a", "b"))
    ]
    for picture in hostile:
        picture.path.write_bytes(pictures[0].path.read_bytes())
    _, source = report(artifact, [pictures[0], *hostile], tmp_path / "report")
    assert "<script>alert" not in source
    assert sum(tag == "script" for tag, _ in Page(source).tags) == 3


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
    assert record["notes"][0] in text
    assert ("of 4 normal pictures" in text) == ("good" in kinds)
    assert (" defects " in text.partition("How do I")[0]) == (kinds != {"good"})


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

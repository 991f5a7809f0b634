"""Pictures that are too large to be decoded whole have the results of the whole."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from app.cli import main
from app.data import is_result

MODELS = Path("models").resolve()


def pixels(path: Path, page: int = 0) -> NDArray[np.generic]:
    options = {"page": page} if page else {}
    return np.asarray(pyvips.Image.new_from_source(pyvips.Source.new_from_file(str(path)), "", **options).numpy())


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 700 x 1100 pixels with defects, that is off the grid of tiles."""
    path = tmp_path_factory.mktemp("large") / "a [1].tif"
    with Image.open("examples/defect.png") as found:
        wide = Image.new("RGB", (1100, 700))
        wide.paste(found.convert("RGB").crop((0, 100, 1024, 800)), (0, 0))
        wide.paste(found.convert("RGB").crop((0, 100, 76, 800)), (1024, 0))
        wide.save(path, tile=(256, 256))
    return path


def predicted(picture: Path, output: Path, *options: str) -> dict[str, object]:
    assert (
        main(
            ["predict", str(picture), "--name", "demo", "--models_dir", str(MODELS), "--output", str(output), *options]
        )
        == 0
    )
    found: dict[str, object] = json.loads((output / f"{picture.stem}.json").read_text())
    del found["timing_ms"]
    return found


def rounded(path: Path) -> object:
    """A document, without the last digits of scores, which bands may change."""
    return json.loads(
        re.sub(r"score 0[.]\d+", "score", path.read_text()), parse_float=lambda text: round(float(text), 4)
    )


@pytest.mark.parametrize("options", [(), ("--roi", "100,60,900,500", "--min_region_area", "40")], ids=["whole", "roi"])
def test_the_results_are_those_of_the_whole(
    picture: Path, tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*options, "--format", "geojson,coco,labelme")
    whole = predicted(picture, tmp_path / "whole", *options)
    monkeypatch.setattr("app.cli.large.WHOLE_PIXELS", 2**18)
    monkeypatch.setattr("app.pipeline.scan.BAND_TILES", 1)
    large = predicted(picture, tmp_path / "large", *options)
    assert large.pop("score") == pytest.approx(whole.pop("score"), abs=1e-5)
    assert large.pop("raw_score") == pytest.approx(whole.pop("raw_score"), rel=1e-5)
    for one, other in zip(large["regions"], whole["regions"], strict=True):  # type: ignore[call-overload]  # JSON
        assert one.pop("score") == pytest.approx(other.pop("score"), abs=1e-5)
    assert large == whole and whole["regions"]
    annotated = ["a [1].coco.json", "a [1].geojson", "a [1].labelme.json"]
    pyramids = ["a [1].map.tif", "a [1].mask.tif", "a [1].overlay.tif"]
    written = sorted(path.name for path in (tmp_path / "large").iterdir())
    assert written == sorted([*annotated, *pyramids, "a [1].json", "results.csv"])
    for name in annotated:
        assert rounded(tmp_path / "large" / name) == rounded(tmp_path / "whole" / name)
    for kind in ("mask", "overlay"):
        expected = pixels(tmp_path / "whole" / f"a [1].{kind}.png")
        file = tmp_path / "large" / f"a [1].{kind}.tif"
        differing = (pixels(file) != expected).mean()
        assert differing < 1e-4, (kind, differing)  # values beside a step of a colour or beside the threshold
        assert pixels(file, 1).shape[0] == expected.shape[0] // 2
        assert is_result(file)


def test_results_of_large_pictures_are_not_predicted(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.cli.large.WHOLE_PIXELS", 2**18)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.tif").write_bytes(picture.read_bytes())
    predicted(tmp_path / "in" / "b.tif", tmp_path / "in" / "results")
    arguments = [str(tmp_path / "in"), "--name", "demo", "--models_dir", str(MODELS), "--output", str(tmp_path / "out")]
    assert main(["predict", *arguments]) == 0
    assert (tmp_path / "out" / "b.json").exists()
    assert not list((tmp_path / "out").rglob("*.mask.json"))


def test_without_libvips_a_large_picture_is_refused_with_the_extra(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.cli.large.MAX_PIXELS", 2**18)
    monkeypatch.setitem(sys.modules, "pyvips", None)  # stands for a package that is not installed
    arguments = [str(picture), "--name", "demo", "--models_dir", str(MODELS), "--output", str(tmp_path)]
    assert main(["predict", *arguments]) == 1
    assert "pip install 'pyvips[binary]'" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_damaged_large_picture_is_refused_and_leaves_nothing(
    picture: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.cli.large.WHOLE_BYTES", 10)
    data = picture.read_bytes()
    bad = tmp_path / "bad.tif"
    bad.write_bytes(data[: len(data) // 2] if damage == "cut" else b"no picture at all")
    arguments = [str(bad), "--name", "demo", "--models_dir", str(MODELS), "--output", str(tmp_path / "out")]
    assert main(["predict", *arguments]) == 1
    assert "bad.tif" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.csv"]

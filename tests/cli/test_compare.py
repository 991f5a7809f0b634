import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.cli import main
from app.data import read_digests
from tests.conftest import draw_surface


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The layout of MVTec: three good pictures and three with a stain and a mask."""
    root = tmp_path / "data/steel"
    for number in range(3):
        stained, mask = draw_surface(60 + number), np.zeros((96, 160), np.uint8)
        stained[40:56, 100:124], mask[40:56, 100:124] = (255, 0, 0), 255
        files = {
            f"test/good/{number}.png": draw_surface(50 + number),
            f"test/stain/<script>{number}.png": stained,
            f"ground_truth/stain/<script>{number}_mask.png": mask,
        }
        for name, pixels in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root.parent


def flags(models_dir: Path, data: Path, *more: str) -> list[str]:
    return [
        *("compare", *more, "--models_dir", str(models_dir), "--output", str(data.parent / "report")),
        *("--data", "MVTec", "--data.root", str(data), "--data.category", "steel"),
    ]


def test_two_models_are_compared_in_a_table_a_file_and_a_page(
    models_dir: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(models_dir, data, "patchcore:1", "padim")) == 0
    printed, report = capsys.readouterr(), data.parent / "report"
    record = json.loads((report / "compare.json").read_text())
    assert [(model["name"], model["version"]) for model in record["models"]] == [("patchcore", 1), ("padim", 1)]
    area = record["pixel"]["auroc"]
    assert f"{area['difference']:+.4f}" in printed.out
    assert record["models"][0]["headline"] in printed.out
    assert sorted(path.name for path in report.iterdir()) == ["compare.html", "compare.json"]
    page = (report / "compare.html").read_text()
    assert "<script>0" not in page
    assert "&lt;script&gt;0.png" in page
    assert page.count("data-state=") == 6
    assert page.count("<circle") == 6
    assert page.count("<img") == 2 * len(record["changed"])
    for number in record["changed"]:
        assert record["pictures"][number]["exceeds"] in ([True, False], [False, True])
    assert not re.search(r"https?:|@import|url\(", re.sub(r'src="data:[^"]*"', "", page))


def test_versions_of_a_model_that_agree_have_no_changed_verdicts(
    models_dir: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(models_dir, data, "patchcore:1", "patchcore:2")) == 0
    record = json.loads((data.parent / "report/compare.json").read_text())
    changed = "verdicts that differ" if record["changed"] else "no verdict differs"
    assert changed in capsys.readouterr().out


def test_pictures_that_cannot_be_read_are_left_out_for_both(
    models_dir: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "steel/test/good/broken.png").write_bytes(b"no picture")
    assert main([*flags(models_dir, data, "patchcore", "padim"), "--data.on_unreadable", "skip"]) == 0
    assert capsys.readouterr().err.count("note: left out: ") == 1
    page = (data.parent / "report/compare.html").read_text()
    assert page.count('data-state="left out"') == 1


def with_seen(models_dir: Path, model: str, picture: Path) -> None:
    """Makes a model record that it was fitted to a picture."""
    manifest = models_dir / model / "manifest.json"
    fitted = {"pictures": 1, "digests": list(read_digests([picture]).values())}
    seen = {"fitted": fitted, "calibrated": {"pictures": 0, "digests": []}}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"seen": seen}))


def test_pictures_that_either_model_has_seen_are_no_part_of_the_comparison(
    models_dir: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    for number, model in enumerate(("patchcore/1", "padim/1")):
        shutil.copytree(models_dir / model, models / model)
        with_seen(models, model, data / f"steel/test/good/{number}.png")
    assert main(flags(models, data, "patchcore", "padim")) == 0
    printed = capsys.readouterr().err
    for model in ("patchcore 1", "padim 1"):
        assert re.search(rf"note: {model}: 2 of 6 pictures are left out, .* fitted to 1 of them", printed)
    record = json.loads((data.parent / "report/compare.json").read_text())
    assert (record["dataset"]["listed"], record["dataset"]["normal"], record["dataset"]["excluded"]) == (6, 1, 2)
    assert [each["used"] for each in record["excluded"]] == [["fitted", None], [None, "fitted"]]
    assert [each["file"] for each in record["pictures"] if not each["anomalous"]] == ["good/2.png"]
    assert "Known to one of the models" in (data.parent / "report/compare.html").read_text()
    assert main(flags(models, data, "patchcore", "padim", "--seen_pictures", "keep")) == 0
    record = json.loads((data.parent / "report/compare.json").read_text())
    assert (record["dataset"]["normal"], record["dataset"]["seen"], record["excluded"]) == (3, 2, [])
    assert sum("fitted to 1 of these 6 pictures" in note for note in record["notes"]) == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["patchcore", "patchcore:2"], "are the same version"),
        (["patchcore:0", "padim"], "'patchcore:0' names no model"),
        (["patchcore:x", "padim"], "'patchcore:x' names no model"),
        (["patchcore:9", "padim"], "has no version 9"),
        (["patchcore", "nobody"], "there is no model 'nobody'"),
    ],
)
def test_names_that_cannot_be_compared_end_the_command(
    models_dir: Path, data: Path, capsys: pytest.CaptureFixture[str], names: list[str], message: str
) -> None:
    assert main(flags(models_dir, data, *names)) == 1
    assert message in capsys.readouterr().err
    assert not (data.parent / "report").exists()

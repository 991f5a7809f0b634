"""`tessera certify --search`: from a folder of normal pictures to a certified version."""

import json
from pathlib import Path

import pytest
from PIL import Image

from app.artifacts import ModelRepository, load_artifact, read_certificate, read_manifest
from app.cli import main
from app.model_search.trial import Trials
from app.sizing import measurement
from tests.conftest import draw_surface

SMALL = (
    *("--detectors", "[Subspace]", "--backbones", "[efficientnet_lite0]", "--tile_sizes", "[48]"),
    *(
        "--overlaps",
        "[0]",
        "--halos",
        "[0]",
        "--scales",
        "[1, 0.75]",
        "--marks",
        "10",
        "--contrasts",
        "[0.9]",
        "--device",
        "cpu",
    ),
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A folder of 13 normal pictures."""
    folder = tmp_path / "good"
    folder.mkdir()
    for number in range(13):
        Image.fromarray(draw_surface(number, 96, 128)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Speeds need not be right in a test."""
    for name, value in (("BUDGET_S", 0.01), ("FEWEST", 1), ("MAPS", 1), ("REPEATS", 1), ("DECODED", 64), ("TILES", 1)):
        monkeypatch.setattr(measurement, name, value)
    monkeypatch.chdir(tmp_path)


def flags(good: Path, *more: str) -> list[str]:
    where = "--data", "Folder", "--data.root", str(good), "--data.num_workers", "0", "--models_dir", "models"
    return ["certify", "--name", "surface", *where, *SMALL, "--search", *more]


def test_a_search_trains_and_certifies_what_grants_the_wish(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(flags(good, "--wish", "6px@90%", "--only_show")) == 0
    printed = capsys.readouterr()
    assert "choice: Subspace efficientnet_lite0, tiles" in printed.err
    assert "pictures/s" in printed.out
    assert not Path("models").exists()
    found = json.loads(Path("surface-search/search.json").read_text())
    assert {each["configuration"].endswith(", scale 0.75") for each in found["results"]} == {True, False}
    assert {each["round"] for each in found["results"]} == {0, 1, 2}
    assert found["choice"] in {each["configuration"] for each in found["results"]}
    assert Path("surface-search/front.svg").read_text().startswith("<svg")
    assert [path.name for path in Path("surface-search").glob(".*")] == []

    assert main(flags(good, "--wish", "6px@90%")) in (0, 1)  # granted or not: the speed is that of a busy machine
    printed = capsys.readouterr()
    assert f"going on after {len(found['results'])} trials" in printed.err
    entry = ModelRepository(Path("models")).find("surface", 1)
    certificate = read_certificate(entry.path, load_artifact(entry).digest)
    assert certificate is not None and certificate.pictures == 4
    assert {(grade.kind, grade.contrast) for grade in certificate.grades} >= {("scratch", 0.9), ("stain", 0.9)}
    assert read_manifest(entry.path).provenance.pictures == 9
    assert "the wish is granted" in printed.err or "does not grant the wish" in printed.err
    assert Path("surface-search/certificate.html").exists()


def test_a_stopped_search_keeps_what_it_has_measured(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Trials.result
    calls = iter((False, True))

    def result(self: Trials, *arguments: object) -> object:
        if next(calls):
            raise KeyboardInterrupt
        return whole(self, *arguments)  # type: ignore[arg-type]  # those of the caller

    monkeypatch.setattr(Trials, "result", result)
    assert main(flags(good, "--wish", "6px@90%")) == 130
    assert "stopped by Ctrl-C; the same command goes on" in capsys.readouterr().err
    assert len(json.loads(Path("surface-search/search.json").read_text())["results"]) == 1
    assert not Path("models").exists()


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        ((), 2, "--search needs --wish"),
        (("--wish", "6px@10%", "--version", "1"), 2, "--search makes a new version"),
        (("--wish", "6px"), 1, "wish is '6px'; give a size and a contrast"),
        (("--wish", "300px@10%"), 1, "the largest that is drawn into pictures whose shorter edge has 96 px"),
        (("--wish", "6px@10%", "--budget", "2s"), 1, "a search needs 30 s or more"),
        (("--wish", "6px@10%", "--tile_sizes", "[]"), 1, "tile_sizes is []"),
        (("--wish", "6px@10%", "--false_positive_rate", "2"), 1, "false_positive_rate is 2"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_line(
    good: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], status: int, message: str
) -> None:
    assert main(flags(good, *more)) == status
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error and len(error.strip().splitlines()) <= 3
    assert not Path("models").exists()


def test_options_of_a_search_need_the_search(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in flags(good, "--wish", "6px@10%", "--rate", "2") if word != "--search"]
    assert main(words) == 2
    assert "--wish, --rate: only with --search" in capsys.readouterr().err

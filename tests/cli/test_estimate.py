"""`tessera bench` and `tessera estimate`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.cli import main
from app.pipeline import TiledModel
from app.sizing import BUSY_SHARE, Demand, Figures, FileFormat, Place, need_of, read_figures, write_figures

FIGURES = Figures(1e-6, 2, {"png": 5e-8, "jpeg": 2e-8}, 500 * 2**20, 0, "2026-11-29")
PLACE = Place("a processor", 2, "cpu", "2.13", "0.2.0")


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sizing.measurement.BUDGET_S", 0.0)
    monkeypatch.setattr("app.sizing.measurement.DECODED", 64)


def run(command: str, models_dir: Path, file: Path, *words: str) -> int:
    where = ("--models_dir", str(models_dir), "--device", "cpu", "--figures", str(file))
    return main([command, *where, "--name", "patchcore", *words])


@pytest.mark.usefixtures("brief")
def test_an_estimate_uses_the_figures_that_were_kept(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "bench.json"
    assert run("bench", models_dir, file) == 0
    assert "tiles a second" in capsys.readouterr().out
    (key,) = json.loads(file.read_text())
    write_figures(file, Place.here(torch.device("cpu")), key, replace(FIGURES, resident_bytes=40 * 2**30))
    asked = ("--size", "128x160", "--rate", "2")
    assert run("estimate", models_dir, file, *asked) == 0
    out, err = capsys.readouterr()
    assert "measuring" not in err
    assert "tiles a second: 24.0" in out and "40.0 for the model" in out  # 3 x 4 tiles of 64 with a stride of 32


@pytest.mark.usefixtures("brief")
def test_a_model_that_was_not_measured_is_measured(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench.json").write_text("{]")
    assert run("estimate", models_dir, tmp_path / "bench.json", "--size", "64 x 64", "--rate", "0.5") == 0
    out, err = capsys.readouterr()
    assert "measuring" in err and "tiles a second: 0.5" in out
    assert len(json.loads((tmp_path / "bench.json").read_text())) == 1


@pytest.mark.parametrize(("size", "rate"), [("64", "1"), ("0x64", "1"), ("64x64", "0"), ("64x64", "inf")])
def test_wrong_sizes_and_rates_are_refused(models_dir: Path, tmp_path: Path, size: str, rate: str) -> None:
    assert run("estimate", models_dir, tmp_path / "bench.json", "--size", size, "--rate", rate) == 2


def test_limits_that_refuse_the_picture_are_named(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.estimate.read_figures", lambda *_: AnyKey())
    assert run("estimate", models_dir, tmp_path / "none.json", "--size", "9000x9000", "--rate", "1") == 0
    assert "set it to 81000000" in capsys.readouterr().out


class AnyKey(dict[str, Figures]):
    def get(self, key: object, default: object = None) -> Figures:
        return FIGURES


def test_needs_grow_with_the_rate_and_follow_from_the_figures(tiny_model: TiledModel) -> None:
    demand = Demand((128, 160), 10.0, FileFormat.png)
    need = need_of(tiny_model, FIGURES, demand, processors=2)
    assert (need.cost.tiles, need.tiles_per_s) == (12, 120)
    assert need.compute_busy == pytest.approx(10 * 12 * 64 * 64 * 1e-6 * 2)
    assert need.decode_busy == pytest.approx(10 * 128 * 160 * 5e-8)
    assert (need.units - 1) * BUSY_SHARE < need.compute_busy + need.decode_busy <= need.units * BUSY_SHARE
    assert need.memory_bytes > FIGURES.resident_bytes + need.in_work * need.cost.memory_bytes
    double = need_of(tiny_model, FIGURES, replace(demand, rate=20.0), processors=2)
    assert double.compute_busy == pytest.approx(2 * need.compute_busy) and double.units > need.units


def test_the_least_free_memory_admits_the_picture(tiny_model: TiledModel) -> None:
    from app.admission import Budgets, limits_for

    demand = Demand((1000, 1600), 1.0, FileFormat.png)
    need = need_of(tiny_model, FIGURES, demand, processors=2)
    limits = limits_for(
        max_image_bytes=2**20, max_waiting_bytes=2**20, max_work_bytes=0, max_pixels=2**26, queue_tiles=4096,
        free_bytes=lambda: need.free_bytes,
    )  # fmt: skip
    Budgets[object](limits).require(need.cost)


@pytest.mark.parametrize(
    "other",
    [
        replace(PLACE, processor="other"),
        replace(PLACE, processors=1),
        replace(PLACE, device="other"),
        replace(PLACE, torch_version="other"),
        replace(PLACE, tessera_version="other"),
    ],
)
def test_figures_of_another_place_are_not_used(tmp_path: Path, other: Place) -> None:
    path = tmp_path / "bench.json"
    write_figures(path, PLACE, "a", FIGURES)
    assert read_figures(path, PLACE) == {"a": FIGURES}
    assert read_figures(path, other) == {}
    write_figures(path, other, "b", FIGURES)
    assert read_figures(path, PLACE) == {"a": FIGURES} and read_figures(path, other) == {"b": FIGURES}


@pytest.mark.parametrize("content", ["", "[]", "null", '{"a": 1}', '{"a": {"place": {}}}', "[" * 100_000])
def test_a_damaged_file_counts_as_empty_and_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(content)
    assert read_figures(path, PLACE) == {}
    write_figures(path, PLACE, "b", FIGURES)
    assert read_figures(path, PLACE)["b"] == FIGURES

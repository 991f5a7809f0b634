"""`tessera bench` and `tessera estimate`."""

import json
import re
from dataclasses import replace
from math import ceil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from app.cli import main
from app.cli.bench import precision_notes
from app.cli.cluster_estimate import cluster_lines
from app.pipeline import Execution, TiledModel
from app.runtime import Candidate, Kernels, Network, Precision, PrecisionChoice
from app.sizing import BUSY_SHARE, Demand, Figures, FileFormat, Place, need_of, read_figures, work_of, write_figures
from app.sizing.cluster import Cluster
from app.trials import Trial

FIGURES = Figures(
    pixel_s=1e-6,
    lanes=2,
    decode_s={"png": 5e-8, "jpeg": 2e-8},
    file_bytes={"png": 2.0, "jpeg": 0.25},
    map_s=1e-8,
    render_s=3e-8,
    drawn_bytes=2.5,
    resident_bytes=500 * 2**20,
    device_bytes=0,
    measured="2026-11-29",
)
FLOAT32, BFLOAT16 = Precision.float32, Precision.bfloat16
FOUR = ("--cluster.ingress_processors", "4")
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
    found = json.loads(file.read_text())[key]
    assert all(found[name] > 0 for name in ("pixel_s", "map_s", "render_s", "drawn_bytes"))
    assert found["file_bytes"].keys() == found["decode_s"].keys() == {"png", "jpeg"}
    write_figures(file, Place.here(torch.device("cpu")), key, replace(FIGURES, resident_bytes=40 * 2**30))
    asked = ("--size", "128x160", "--rate", "2")
    assert run("estimate", models_dir, file, *asked) == 0
    out, err = capsys.readouterr()
    assert "measuring" not in err
    assert "tiles a second: 24.0" in out and "40.0 for the model" in out  # 3 x 4 tiles of 64 with a stride of 32


@pytest.mark.parametrize(
    ("own", "seconds", "asked", "said"),
    [
        (
            FLOAT32,
            {FLOAT32: 0.02, BFLOAT16: 0.03},
            "auto",
            "bfloat16 took 1.5 times as long as float32; a server",
        ),
        (BFLOAT16, {BFLOAT16: 0.02, FLOAT32: 0.04}, "auto", "float32 took 2.0 times as long as bfloat16"),
        (BFLOAT16, {BFLOAT16: 0.2}, "auto", "float32 was not measured"),
        (FLOAT32, {BFLOAT16: 0.2}, "auto", "float32 was not measured"),
        (FLOAT32, {}, "auto", None),
        (FLOAT32, {FLOAT32: 0.02}, FLOAT32, None),
    ],
)
def test_the_choice_of_the_precision_is_explained(
    own: Precision,
    seconds: dict[Precision, float],
    asked: PrecisionChoice,
    said: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.cli.bench.fast_precision", lambda _: BFLOAT16)
    trials = tuple(Trial(Candidate(precision, Kernels.fused), each) for precision, each in seconds.items())
    execution = Execution(cast(Network, SimpleNamespace(precision=own)), 1, trials=trials)
    found = list(precision_notes(execution, asked))
    assert len(found) == (said is not None) and all(str(said) in each for each in found)


def test_a_processor_with_one_precision_needs_no_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.bench.fast_precision", lambda _: None)
    trial = Trial(Candidate(FLOAT32, Kernels.fused), 0.02)
    assert not list(
        precision_notes(Execution(cast(Network, SimpleNamespace(precision=FLOAT32)), 1, trials=(trial,)), "auto")
    )


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


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.estimate.read_figures", lambda *_: AnyKey())


@pytest.mark.usefixtures("kept")
def test_a_number_of_cards_gives_the_rate_that_they_answer(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = ("--cluster.processors", "1", "--cluster.request_ms", "0", "--cluster.request_ns_per_byte", "0", *FOUR)
    asked = ("--size", "128x160", "--cards", "40", "--price", "0.50", *cluster)
    assert run("estimate", models_dir, tmp_path / "none.json", *asked) == 0
    out = capsys.readouterr().out
    highest = 40 / (12 * 64 * 64 * 1e-6 + 128 * 160 * 5e-8)
    assert f"cluster:        40 machines behind 1 ingress: at most {highest:,.1f} pictures a second" in out
    assert "the limit: machines without a card" in out
    assert f"{BUSY_SHARE * highest:,.1f} pictures a second at random times" in out
    assert (
        f"price:          20.00 an hour for all, {20 / (BUSY_SHARE * highest) / 3600 * 1e6:,.2f} for a million" in out
    )
    assert "28.00 of 40" in out and "70.0%" in out


@pytest.mark.usefixtures("kept")
def test_a_rate_gives_the_number_of_cards(models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--size", "128x160", "--rate", "100", "--cluster.processors", "1")
    assert run("estimate", models_dir, tmp_path / "none.json", *asked) == 0
    out = capsys.readouterr().out
    needed = ceil(100 * (12 * 64 * 64 * 1e-6 + 128 * 160 * 5e-8 + 2.4e-3 + (2 * 128 * 160 + 2_000) * 2e-9) / BUSY_SHARE)
    assert f"cluster:        {needed} machines behind 1 ingress" in out
    assert "0.033 Gbit/s of pictures, 0.002 of answers" in out
    found = re.search(r"latency: +(\S+) s \(median\), (\S+) s \(95%\)", out)
    assert found and 0.04 < float(found[1]) < float(found[2]) < 0.5


@pytest.mark.usefixtures("kept")
def test_a_rate_that_this_machine_cannot_answer_is_shared_by_machines_like_it(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def estimated(*words: str) -> str:
        assert run("estimate", models_dir, tmp_path / "none.json", "--size", "128x160", *words) == 0
        return capsys.readouterr().out

    one, many, given = (
        estimated("--rate", "1"),
        estimated("--rate", "2000"),
        estimated("--rate", "2000", "--cards", "4"),
    )
    assert "128 x 160 (height x width)" in one and "memory: " in one and ": enough; at most" in one
    assert "machines: " not in one and "memory of each" not in one
    count = re.search(r"cluster: +([\d,]+) machines", many)
    assert (
        count and f"machines:       {count[1]} like this one behind a proxy" in many and ": not enough; at most" in many
    )
    assert re.findall(r"GiB: 0.5 for .* and (\d+) pictures", one) == re.findall(r"each: .* and (\d+) pictures", many)
    assert f"machines:       {count[1]} like this one" in given and "4 machines behind" in given


@pytest.mark.usefixtures("kept")
def test_a_rate_over_the_limit_is_named(models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--size", "128x160", "--rate", "100", "--cards", "2", "--cluster.block_tiles", "2", *FOUR)
    assert run("estimate", models_dir, tmp_path / "none.json", *asked) == 0
    out = capsys.readouterr().out
    assert "2 machines that share 4 blocks of each picture, behind 1 ingress" in out
    assert "latency:        grows without end, because 100.0 pictures a second are over the limit" in out


@pytest.mark.usefixtures("kept")
def test_heatmaps_take_processors_and_network(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--size", "128x160", "--rate", "10", "--heatmap", "true")
    assert run("estimate", models_dir, tmp_path / "none.json", *asked) == 0
    out = capsys.readouterr().out
    assert "0.003 Gbit/s of pictures, 0.004 of answers" in out


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("--cards 0", 2, "--cards 0: give 1 to 2,000"),
        ("--cards 20000", 2, "give 1 to 2,000"),
        ("--rate 1 --price -1", 2, "--price -1: give the price"),
        ("", 2, "missing: --rate"),
        ("--rate 1 --cluster.network_gbit_s 0", 1, "cluster.network_gbit_s is 0; use more than 0"),
        ("--cards 2 --cluster.block_tiles 4 --cluster.ingresses 0", 1, "cluster.ingresses is 0, and engines get"),
        ("--rate 1 --cluster.balance best", 2, "in_turn, random or less_busy_of_two"),
    ],
)
def test_clusters_that_cannot_work_are_refused(
    models_dir: Path, tmp_path: Path, words: str, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--size", "128x160", *words.split())
    assert run("estimate", models_dir, tmp_path / "none.json", *asked) == status
    assert message in " ".join(capsys.readouterr().err.split())


def test_more_cards_than_can_be_simulated_are_counted(tiny_model: TiledModel) -> None:
    work = work_of(tiny_model, FIGURES, Demand((128, 160), 1.0, FileFormat.png))
    (line,) = cluster_lines(work, Cluster().with_processors(1), 1e6, None, None)
    assert "more than 2,000 are not simulated" in line


def test_the_work_of_a_picture_follows_from_the_figures_and_the_tiling(tiny_model: TiledModel) -> None:
    work = work_of(tiny_model, FIGURES, Demand((128, 160), 1.0, FileFormat.png, heatmap=True))
    pixels = 128 * 160
    assert work.on_cpu and (work.tiles, work.shared) == ((3, 4), (1, 1))  # tiles of 64 with a stride of 32
    assert work.device_s == pytest.approx(12 * 64 * 64 * 1e-6)
    assert (work.decode_s, work.map_s, work.render_s) == pytest.approx((pixels * 5e-8, pixels * 1e-8, pixels * 3e-8))
    assert (work.file_bytes, work.answer_bytes, work.pixel_bytes) == (2 * pixels, 2.5 * pixels, 3 * pixels)
    assert work.blocks(2) == pytest.approx((4, (1 + 1 / 3) * (1 + 1 / 4)))


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

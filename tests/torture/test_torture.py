"""The short form of `make torture`: each part finds nothing wrong with a server of tiny models."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from app.artifacts import ModelRepository
from benchmarks.torture import damage, mixed, table, tricks
from benchmarks.torture.bombs import tricks as all_tricks
from benchmarks.torture.found import Found
from benchmarks.torture.known import Known
from benchmarks.torture.mutations import MUTATIONS, damaged
from benchmarks.torture.probes import probing
from benchmarks.torture.served import Served, served
from tests.repositories import add_version

KINDS = sorted({trick.kind for trick in all_tricks()})
SHORT = {
    1: "TIFF of 900,000 x 900,000, one row",
    2: "AVIF of a million empty boxes",
    3: "JPEG of 500,000 restart markers",
    4: "pixels that are NaN",
    5: "a shape of 5 million numbers",
    6: "gzip with a name of 10 MB",
    7: "30 heads of 60,000 bytes",
    8: "a manifest that is a pipe",
    9: "decoders are killed",
}


@pytest.fixture(scope="module")
def models(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("torture")
    add_version(models_dir / "patchcore/1", root, "demo", 1)
    add_version(models_dir / "padim/1", root, "padim", 1)
    return root


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Served]:
    with served(models, "--precision", "float32", "--reload_interval_s", "3600") as started:
        yield started


def test_all_answers_of_a_mixed_load_are_right(server: Served, models: Path) -> None:
    found = mixed.load(server, Known(ModelRepository(models), most_pixels=20_000), 2.0, 0, None, 0.5)
    kinds = found.figures["kinds"]
    assert not found.faults
    assert isinstance(kinds, dict) and {"bad", "cancelled", "raw"} <= set(kinds)
    assert not server.settle()
    assert not server.errors()


def test_damaged_files_are_refused_or_answered(server: Served) -> None:
    assert not damage.run(server, "demo", 80, 0).faults


@pytest.mark.parametrize("kind", KINDS)
def test_a_trick_stops_nobody(kind: int, server: Served, normal_png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tricks, "PICTURES", 1)
    (trick,) = (each for each in all_tricks() if each.name == SHORT[kind])
    with probing(server.port, server.port) as probes:
        row, _ = tricks.measured(trick, server, server, tricks.good_picture("demo", normal_png), probes)
    got = row["got"]
    assert isinstance(got, dict) and got
    assert not [status for status in got if status.startswith("5") and status != "503"]
    assert int(str(row["memory_grew_mb"])) < tricks.GROWTH_MB
    assert row["livez_failed"] == 0
    assert not server.settle()


def test_a_seed_makes_the_same_damaged_files() -> None:
    files = [bytes(range(200)), b"another file" * 20]
    first, second, other = (Random(seed) for seed in (7, 7, 8))  # noqa: S311 - no secret
    made = [damaged(first, files) for _ in range(40)]
    assert made == [damaged(second, files) for _ in range(40)]
    assert made != [damaged(other, files) for _ in range(40)]
    assert {kind for _, kind, _ in made} <= set(MUTATIONS)
    assert sum(data not in files for _, _, data in made) > 30


def test_the_table_names_the_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    found = {"end": (Found({"ends": 3}, "3 ends", ["one took 4 s"]), 12.0), "kill": (Found({}, "whole", []), 3.0)}
    path = table.write_table("torture", {"seed": 0}, found)
    lines = path.read_text().splitlines()
    assert "| end | 12 s | 3 ends | 1 |" in lines and "| kill | 3 s | whole | 0 |" in lines
    assert "- one took 4 s" in lines
    assert json.loads(path.with_suffix(".json").read_text())["parts"]["end"]["faults"] == ["one took 4 s"]

"""The contents of the kit for a machine with a GPU. CI also runs the kit itself, in its shortest form."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.gpu.marked_tests import files
from benchmarks.gpu.roofline import roofline, table
from benchmarks.gpu.scale import FULL
from benchmarks.gpu.steps import STEPS
from scripts.gpu.gather import LIMIT_BYTES, report, requirements

ROOT = Path(__file__).parents[2]
CALL_S = 9 * 60
INSTALL_S = 15


def test_every_wheel_has_one_version() -> None:
    found = requirements()
    assert all(requirement.count("==") == 1 for requirement in found)
    assert len({requirement.split("==")[0].lower() for requirement in found}) == len(found)


def test_the_kit_has_no_wheel_of_a_package_that_the_machine_has() -> None:
    def names(file: str) -> set[str]:
        lines = (ROOT / "scripts" / "gpu" / file).read_text().splitlines()
        return {line.split(">")[0].lower().replace("_", "-") for line in lines if line and not line.startswith("#")}

    assert not names("wheels.txt") & names("machine.txt")


def test_a_kit_that_is_too_large_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.whl").write_bytes(bytes(10))
    report(tmp_path)
    assert f"{LIMIT_BYTES:,}" in capsys.readouterr().out
    with (tmp_path / "large.whl").open("wb") as file:
        file.truncate(LIMIT_BYTES)
    with pytest.raises(SystemExit, match="too large"):
        report(tmp_path)


def test_all_steps_together_end_within_one_call() -> None:
    assert sum(step.limit_s for step in STEPS) * FULL.patience + INSTALL_S <= CALL_S


def test_every_file_with_tests_for_a_gpu_is_found() -> None:
    marked = {path for path in (ROOT / "tests").rglob("test_*.py") if "pytest.mark.gpu\n" in path.read_text()}
    assert set(files()) == marked - {Path(__file__)}
    assert len(marked) > 5


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    ended = subprocess.run([ROOT / "scripts" / "gpu" / "run.sh", "--fast"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert all(option in ended.stderr for option in ("--fast", "--rehearse", "--short"))


def test_the_roofline_names_the_stage_that_is_the_limit() -> None:
    """The device could process 1,000 pictures a second, and the processors decode 100."""
    stages = {"receive and send": 0.001, "decode": 0.08, "queue": 0.0, "render": 0.001}
    device = {
        "upload": 1e-4,
        "cut": 1e-4,
        "network": 5e-4,
        "stitch": 0.0,
        "measure": 1e-4,
        "map": 1e-4,
        "download": 1e-4,
    }
    limits = {
        "processors": 8,
        "upload_bytes_per_s": 5e10,
        "download_bytes_per_s": 5e10,
        "memory_bytes_per_s": 3e12,
        "half_flop_per_s": 8e14,
        "decode_png_per_s": {"1": 12.5, "all": 100.0},
    }
    served = {"pictures_per_s": 98.0, "stage_s": stages, "device_s": device}
    lone = {**served, "pictures_per_s": 12.0}
    measured = {"stfpm, png, 16 clients": served, "stfpm, png, 1 clients": lone, "stfpm, large jpeg, 1 clients": lone}
    engine = {"stfpm": {"flop_a_tile": 7.4e9}}
    results = {
        "scale": "full",
        "limits": {"figures": limits},
        "serving": {"figures": measured},
        "engine": {"figures": engine},
    }
    found = roofline(results)  # type: ignore[arg-type]  # dicts of floats are JSON
    assert set(found) == {"stfpm, png, 16 clients", "stfpm, png, 1 clients"}
    row = found["stfpm, png, 16 clients"]
    assert isinstance(row, dict) and isinstance(row["stages"], dict)
    assert row["limit"] == "decode"
    decode, network = row["stages"]["decode"], row["stages"]["network"]
    assert isinstance(decode, dict) and isinstance(network, dict)
    assert decode["least_s"] == pytest.approx(0.01)
    assert decode["load"] == pytest.approx(98 * 0.08 / 8)
    assert network["share_of_limit"] == pytest.approx(16 * 7.4e9 / 8e14 / 5e-4)
    assert "limited by decode" in table({**results, "roofline": found})  # type: ignore[dict-item]  # also JSON

"""What docs/operations.md says to do works: the unit, the commands of an upgrade and a backup, and the links."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.artifacts import ModelRepository, verify_artifact
from app.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/operations.md").read_text()
UNIT = (ROOT / "examples/systemd/tessera.service").read_text()


def section(title: str) -> str:
    start = TEXT.index(f"\n## {title}\n") + 1
    end = TEXT.find("\n## ", start)
    return TEXT[start : end if end > 0 else None]


def blocks(title: str) -> list[str]:
    """The shell commands of a section."""
    return re.findall(r"```sh\n(.*?)```", section(title), re.DOTALL)


def run(script: str, folder: Path) -> None:
    """Runs commands with the folders of the machine below `folder`, and with stubs for the commands that need root."""
    stubs = folder / "stubs"
    stubs.mkdir(exist_ok=True)
    for name in ("systemctl", "curl"):
        (stubs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {folder}/called\n')
        (stubs / name).chmod(0o755)
    for place in ("/opt/tessera", "/var/lib/tessera"):
        script = script.replace(place, f"{folder}{place}")
    environment = os.environ | {"PATH": f"{stubs}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-euc", script], check=True, cwd=folder, env=environment)


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT)
    return parser["Service"]


def test_the_unit_is_valid(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    file = tmp_path / "tessera.service"
    command = shutil.which("true")
    file.write_text(UNIT.replace("/opt/tessera/current/bin/tessera", str(command)))
    ended = subprocess.run([tool, "verify", str(file)], check=False, capture_output=True, text=True)
    if "Failed to initialize manager" in ended.stderr:
        pytest.skip("systemd-analyze does not work here")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_unit_fits_the_settings() -> None:
    for name in re.findall(rf"{PREFIX}([A-Z_]+)=", UNIT):
        assert name.lower() in Settings.model_fields, name
    assert int(unit()["TimeoutStopSec"]) >= Settings.model_fields["shutdown_grace_s"].default + 2
    assert unit()["Restart"] == "on-failure" and int(unit()["LimitNOFILE"]) > 1000


def test_the_server_is_upgraded_and_rolled_back(tmp_path: Path) -> None:
    releases = tmp_path / "opt/tessera"
    for version in ("0.2.0", "0.3.0"):
        (releases / version / "bin").mkdir(parents=True)
        (releases / version / "bin/tessera").write_text(f"#!/bin/sh\necho {version} $1\n")
        (releases / version / "bin/tessera").chmod(0o755)
    (releases / "current").symlink_to("0.2.0")

    def started() -> str:
        command = unit()["ExecStart"].replace("/opt", f"{tmp_path}/opt")
        return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout.strip()

    verify, upgrade, rollback = blocks("Upgrade and rollback of the server")
    run(verify, tmp_path)
    assert started() == "0.2.0 serve"
    run(upgrade, tmp_path)
    assert started() == "0.3.0 serve"
    run(rollback, tmp_path)
    assert started() == "0.2.0 serve"
    called = (tmp_path / "called").read_text().splitlines()
    assert called.count("systemctl restart tessera") == 2 and any("/readyz" in each for each in called)


def test_a_backup_is_restored(models_dir: Path, tmp_path: Path) -> None:
    models = tmp_path / "var/lib/tessera/models"
    shutil.copytree(models_dir, models)
    (models / "patchcore/.writing-1").mkdir()
    (command,) = blocks("Backup")
    run(command, tmp_path)
    shutil.rmtree(models)
    subprocess.run(["tar", "-xzf", "tessera-backup.tar.gz", "-C", str(models.parent)], check=True, cwd=tmp_path)
    assert not (models / "patchcore/.writing-1").exists()
    entries = ModelRepository(models).entries()
    assert len(entries) == 3
    for entry in entries:
        verify_artifact(entry)


def test_every_link_has_its_target() -> None:
    titles = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        file, _, anchor = target.partition("#")
        if not file:
            assert anchor in anchors, target
        elif "://" not in file:
            assert (ROOT / "docs" / file).exists(), target


def test_the_commands_of_the_installation_name_files_that_exist() -> None:
    for title in ("As a systemd unit", "Without a network"):
        for path in re.findall(r"(?:requirements|examples)/\S+", section(title)):
            assert (ROOT / path.strip("`.,;")).exists(), path

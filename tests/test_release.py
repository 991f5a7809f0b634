"""The release: one version everywhere, one name of the distribution."""

import datetime
import json
import re
import tomllib
from pathlib import Path

import yaml

from app.version import DISTRIBUTION, VERSION

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_the_same_everywhere() -> None:
    assert (PROJECT["name"], PROJECT["version"]) == (DISTRIBUTION, VERSION)
    for name in ("openapi.json", "openapi.released.json"):
        assert json.loads((ROOT / name).read_text())["info"]["version"] == VERSION, name
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    own = [each["image"] for each in services.values() if "build" in each]
    assert own and all(image.partition(":")[2].partition("-")[0] == VERSION for image in own)
    for each in services.values():
        if "build" in each:
            assert each["build"]["args"]["VERSION"] == VERSION


def test_the_version_has_a_dated_section_in_the_changelog() -> None:
    (date,) = re.findall(rf"^## {re.escape(VERSION)} - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert datetime.date.fromisoformat(date)


def test_nothing_installs_the_foreign_distribution() -> None:
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "app").rglob("*.py"), ROOT / "Dockerfile"]
    for path in texts:
        for line in path.read_text().splitlines():
            assert not re.search(r"\btessera\[", line), (path, line)
            assert "pip install tessera" not in line or "**`pip install tessera`" in line, (path, line)

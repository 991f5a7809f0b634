"""Runs all tests that are marked `gpu`, and records their durations; without a GPU all are skipped."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from benchmarks.gpu.setting import Setting

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"^(\s*@pytest|pytestmark = pytest)\.mark\.gpu", re.MULTILINE)


def run(setting: Setting) -> None:
    """Runs the tests; records the outcome and seconds of each, and the messages of failed tests."""
    report = setting.work / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "--junit-xml", str(report)]
    ended = subprocess.run([*command, *(str(path) for path in files())], cwd=ROOT, check=False)
    outcomes: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
    seconds, messages = {}, {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # pytest has just written it
        name = f"{case.get('classname')}::{case.get('name')}"
        trouble = next((child for child in case if child.tag in ("failure", "error")), None)
        skipped = case.find("skipped") is not None
        outcomes["failed" if trouble is not None else "skipped" if skipped else "passed"].append(name)
        seconds[name] = float(case.get("time", "0"))
        if trouble is not None:
            messages[name] = (trouble.get("message") or "")[:2000]
    setting.results.add("counts", {outcome: len(names) for outcome, names in outcomes.items()})
    setting.results.add("status", ended.returncode)
    setting.results.add("failures", dict(messages))
    setting.results.add("seconds", dict(sorted(seconds.items(), key=lambda each: -each[1])))


def files() -> list[Path]:
    """The files with tests that are marked `gpu`. Other files may import packages that the kit does not have."""
    return [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if MARK.search(path.read_text())]

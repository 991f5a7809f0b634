"""The report of the audit, from what pip-audit writes."""

import json

import pytest

from scripts.supply.audit import report

SOUND = {"name": "numpy", "version": "2.4.0", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI"}
KNOWN = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.0"], "aliases": []}]}


@pytest.mark.parametrize(
    ("packages", "words", "fails"),
    [
        ([SOUND, SKIPPED], "1 packages were audited, 1 are not known", False),
        ([SOUND, KNOWN], "pillow 1.0 has CVE-1, fixed in 2.0", True),
        ([SKIPPED], "skipped", False),
    ],
)
def test_a_known_vulnerability_fails(packages: list[object], words: str, fails: bool) -> None:
    lines, found = report("gpu.txt", json.dumps({"dependencies": packages, "fixes": []}), "")
    assert words in "\n".join(lines) and found is fails


def test_a_registry_that_does_not_answer_is_a_stated_skip() -> None:
    lines, found = report("gpu.txt", "", "Traceback\nConnectionError: no route to host")
    assert "skipped" in lines[0] and "no route to host" in lines[0] and not found

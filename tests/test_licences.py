"""Every distribution that is installed with Tessera has a permissive licence."""

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PERMISSIVE = re.compile(r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|Zlib|BSL-1\.0|CC0|HPND|Unlicense", re.I)
FILE_WISE = {"tqdm": "MPL-2.0 AND MIT"}
"""Licences with copyleft for changes of the licensed files only."""


def licence(found: Distribution) -> str:
    def values(field: str) -> list[str]:
        return found.metadata.get_all(field) or []

    classifiers = [each for each in values("Classifier") if each.startswith("License ::")]
    named = [each for each in values("License") if each != "UNKNOWN"]
    return " AND ".join(values("License-Expression") or classifiers or named or _titles(found))


def _titles(found: Distribution) -> list[str]:
    """The first lines of the licence files, for distributions whose metadata name no licence."""
    files = [each for each in found.files or [] if each.name.upper().startswith("LICEN")]
    return [each.read_text().strip().partition("\n")[0] for each in files]


def required_distributions() -> dict[str, Distribution]:
    """The installed distributions that Tessera requires, directly or through others."""
    found: dict[str, Distribution] = {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]  # extras are for developers
    direct = map(Requirement, project["dependencies"])
    waiting: list[tuple[str, tuple[str, ...]]] = [(needed.name, ("", *needed.extras)) for needed in direct]
    while waiting:
        name, extras = waiting.pop()
        try:
            own = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = own
        for line in own.requires or []:
            needed = Requirement(line)
            wanted = needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras)
            if wanted and needed.name not in found:
                waiting.append((needed.name, ("", *needed.extras)))
    return found


@pytest.mark.parametrize(("name", "found"), sorted(required_distributions().items()))
def test_licences_are_permissive(name: str, found: Distribution) -> None:
    if name.startswith(("nvidia-", "cuda-")):
        pytest.skip("torch for CUDA requires it, under the terms of its maker")
    stated = licence(found)
    assert stated == FILE_WISE.get(name, stated)
    assert name in FILE_WISE or all(PERMISSIVE.search(part) for part in re.split(r"\bAND\b", stated)), stated


def test_the_main_dependencies_are_checked() -> None:
    assert {"fastapi", "torch", "pydantic", "pillow", "starlette", "numpy"} <= required_distributions().keys()

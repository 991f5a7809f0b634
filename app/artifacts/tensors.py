"""Reads tensors of a safetensors file into their own memory."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

HEADER_BYTES = 8


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; raises SafetensorError, or OSError.

    The library would map the file instead: mapped tensors would change or vanish with the file, and copying them would
    take their memory twice, because mapped pages that were read count as memory. The library only verifies the header
    here, which holds the position of each tensor.
    """
    with safe_open(path, "pt") as verified, path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(HEADER_BYTES), "little")))
        start, tensors = file.tell(), {}
        for name in verified.keys():  # noqa: SIM118  # no mapping
            part = verified.get_slice(name)
            tensor = torch.empty(part.get_shape(), dtype=_DTYPES[part.get_dtype()])
            file.seek(start + header[name]["data_offsets"][0])
            if tensor.numel():
                file.readinto(memoryview(tensor.view(-1).view(torch.uint8).numpy()))  # type: ignore[arg-type]  # NumPy before its buffer types
            tensors[name] = tensor
    return tensors


_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}

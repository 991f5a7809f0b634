"""Telling a lack of memory from other errors."""

import torch

_CPU_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory")  # torch has no class of its own for it


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was lacking, on the GPU or the host."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_OUT_OF_MEMORY)

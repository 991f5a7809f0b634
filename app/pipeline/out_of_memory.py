"""Recognises out-of-memory errors."""

import torch

_CPU_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory")  # torch has no exception class for these


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that memory ran out, on a GPU or on the host."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_OUT_OF_MEMORY)

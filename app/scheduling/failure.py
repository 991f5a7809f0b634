"""What an exception on the device means."""

import torch

from app.errors import InsufficientMemory, TesseraError

_CPU_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory")  # torch has no class of its own for it


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was lacking, on the GPU or the host."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_OUT_OF_MEMORY)


def is_device_failure(error: BaseException) -> bool:
    """Whether the device itself, and not the work, is at fault: an error that the next work would meet as well."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def explained(error: Exception, device: torch.device, batch_tiles: int) -> Exception:
    """The error to hand to whoever waits for the work."""
    if isinstance(error, TesseraError) or not is_out_of_memory(error):
        return error
    smaller = f"fewer than {batch_tiles} tiles a batch (batch_tiles)" if batch_tiles > 1 else "smaller tiles"
    explained = InsufficientMemory(
        f"the picture does not fit into the memory of {device}; send a smaller one, serve with {smaller}, "
        "or use a device with more memory"
    )
    explained.__cause__ = error
    return explained

"""What an exception on the device means."""

import torch

from app.errors import InsufficientMemory, TesseraError
from app.pipeline import is_out_of_memory


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

"""What an exception on the device means."""

import torch

from app.errors import InsufficientMemory, TesseraError
from app.pipeline import is_out_of_memory


def is_device_failure(error: BaseException) -> bool:
    """Whether the device itself, and not the work, is at fault: an error that the next work would meet as well."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def explained(error: Exception, device: torch.device) -> Exception:
    """The error to hand to whoever waits for the work, which was tried with a single tile."""
    if isinstance(error, TesseraError) or not is_out_of_memory(error):
        return error
    explained = InsufficientMemory(
        f"the picture does not fit into the memory of {device}, not even one tile at a time; send a smaller one, serve "
        "a model with smaller tiles, or use a device with more memory"
    )
    explained.__cause__ = error
    return explained

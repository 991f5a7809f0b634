"""Classifies exceptions of units of work."""

import torch

from app.errors import InsufficientMemory, TesseraError
from app.pipeline import is_out_of_memory


def is_device_failure(error: BaseException) -> bool:
    """Whether the device is the cause, so that other work would fail as well."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def explained(error: Exception, device: torch.device) -> Exception:
    """The error for the caller; out-of-memory errors of a single tile become InsufficientMemory."""
    if isinstance(error, TesseraError) or not is_out_of_memory(error):
        return error
    explained = InsufficientMemory(
        f"the picture does not fit into the memory of {device}, not even one tile at a time; send a smaller one, serve "
        "a model with smaller tiles, or use a device with more memory"
    )
    explained.__cause__ = error
    return explained

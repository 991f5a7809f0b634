"""Finds devices by name, and limits the threads of torch."""

import torch

from app.errors import InvalidDevice

BATCH_TILES = {"cpu": 4, "cuda": 32}
"""The default number of tiles in one batch, by device type. Two cores are faster with 4 than with 16."""


def resolve_devices(names: str) -> tuple[torch.device, ...]:
    """The devices of a list with commas, such as `cuda:0,cuda:1`, each once; raises InvalidDevice."""
    devices = [resolve_device(name.strip()) for name in names.split(",")]
    for number, device in enumerate(devices):
        if device in devices[:number]:
            raise InvalidDevice(f"device {str(device)!r} is listed twice in {names!r}; list each once")
    return tuple(devices)


def resolve_device(name: str) -> torch.device:
    """The device called `cpu`, `cuda`, `cuda:N` or `auto` (a GPU if there is one); raises InvalidDevice."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidDevice(f"device {name!r} is not known; use auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise InvalidDevice(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    available = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= available:
        raise InvalidDevice(
            f"device {name!r} is not available: this machine has {available} CUDA devices; use auto or cpu"
        )
    return device


def use_processors(count: int) -> None:
    """Limits torch to `count` threads for the calling thread.

    When a thread first computes, torch gives it the number that any thread set last. Reading the number forces that
    initialisation now, so that it cannot overwrite `count` later.
    """
    torch.get_num_threads()
    torch.set_num_threads(count)

"""Undoes wrappers of modules, such as that of torch.compile, which change names of tensors and not the results."""

from collections.abc import Mapping
from typing import TypeVar

from app.errors import UnsupportedImport
from app.importing.records import PickledObject, attribute

WRAPPERS = {
    "_orig_mod": "torch.compile",
    "module": "DataParallel, DistributedDataParallel or AveragedModel",
    "_forward_module": "Lightning's strategies",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
    "_checkpoint_wrapped_module": "activation checkpointing",
}
"""For each name under which a wrapper holds its module: the wrapper."""

T = TypeVar("T")


def without_wrappers(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors, by their names without wrappers; raises UnsupportedImport if two get the same name.

    For example, `model._orig_mod.encoder.module.conv1.weight` becomes `model.encoder.conv1.weight`.
    """
    found: dict[str, T] = {}
    for name, tensor in tensors.items():
        *modules, own = name.split(".")
        plain = ".".join([*(module for module in modules if module not in WRAPPERS), own])
        if plain in found:
            raise UnsupportedImport(f"the file holds {plain} twice, with and without a wrapper such as torch.compile's")
        found[plain] = tensor
    return found


def unwrapped(module: PickledObject) -> PickledObject:
    """The innermost module that a recorded module wraps; the module itself if it is not a wrapper."""
    for _ in WRAPPERS:
        inner = next((held for name in WRAPPERS if isinstance(held := attribute(module, name), PickledObject)), None)
        if inner is None:
            break
        module = inner
    return module

"""Fitted states: their parts, and what the states of earlier versions lack."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import NotTeachable


def with_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have this prefix, by their names without it."""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def may_be_missing(module: nn.Module, *names: str) -> None:
    """Lets states of earlier versions be loaded, which lack the buffers of these names; they then are 0."""
    module.register_load_state_dict_pre_hook(partial(_complete, names))  # type: ignore[no-untyped-call]  # torch's


def _complete(names: Sequence[str], module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    for name in names:
        buffer = module.get_buffer(name)
        state.setdefault(f"{prefix}{name}", torch.zeros(buffer.shape, dtype=buffer.dtype))


def require_count(part: str, count: Tensor) -> None:
    """Raises NotTeachable if a fitted part of a model does not know the number of what it was fitted to."""
    if not int(count):
        raise NotTeachable(
            f"the model's {part} does not know to how many patches it was fitted, because an earlier version of "
            "Tessera or another program wrote it; train it again, then it can learn from reviews"
        )

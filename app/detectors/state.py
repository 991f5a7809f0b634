"""Fitted states: their parts, and what the states of earlier versions lack."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import NotTeachable


def with_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have this prefix, by their names without it."""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def count_may_be_missing(detector: nn.Module) -> None:
    """Lets states of earlier versions be loaded, which lack the buffer `count`; it then is 0."""
    detector.register_load_state_dict_pre_hook(_with_count)  # type: ignore[no-untyped-call]  # torch's


def _with_count(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    state.setdefault(f"{prefix}count", torch.tensor(0))


def require_count(detector: nn.Module, count: Tensor) -> None:
    """Raises NotTeachable if a fitted detector does not know the number of what it was fitted to."""
    if not int(count):
        raise NotTeachable(
            f"the model's {type(detector).__name__} does not know to how many patches it was fitted, because an "
            "earlier version of Tessera or another program wrote it; train it again, then it can learn from reviews"
        )

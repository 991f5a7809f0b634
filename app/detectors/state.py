"""Fitted states that contain the states of other detectors or fitters."""

from collections.abc import Mapping

from torch import Tensor


def with_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have this prefix, by their names without it."""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}

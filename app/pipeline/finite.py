"""Finds values that are not finite (NaN or infinity), at the cost of one sum."""

from collections.abc import Iterable

import torch
from torch import Tensor

from app.errors import NotFinite


def checksum(tensors: Iterable[Tensor]) -> Tensor:
    """The sum of all values, a scalar of float32 on their device: not finite if any value is not finite.

    Finite values overflow only if their mean is over 1e30. Squares of such distances overflow as well.
    """
    return torch.stack([tensor.sum(dtype=torch.float32) for tensor in tensors]).sum()


def require_finite(total: Tensor) -> None:
    """Raises NotFinite unless a checksum is finite."""
    if not total.isfinite():
        raise NotFinite(
            "the model computed NaN or infinity for this picture, so that it has no score; send the picture again; if "
            "the error comes back for this picture only, set the precision float32"
        )

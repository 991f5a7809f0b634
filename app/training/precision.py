"""The precision in which gradients are computed."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Literal

import torch

from app.errors import InvalidTraining

Precision = Literal["auto", "32", "bf16", "16"]
HALF = {"bf16": torch.bfloat16, "16": torch.float16}


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """The precision to train with: by default half precision on a GPU, single on a CPU. Raises InvalidTraining."""
    if precision not in ("auto", "32", *HALF):
        raise InvalidTraining(f"precision is {precision!r}; use auto, 32, bf16 or 16")
    if device.type != "cuda":
        if precision in HALF:
            raise InvalidTraining(f"precision {precision} needs a GPU, and the device is {device}; use auto or 32")
        return "32"
    if precision != "auto":
        return precision
    return "bf16" if torch.cuda.is_bf16_supported() else "16"


def autocast(precision: Precision, device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """Makes the context in which networks run; weights stay in float32 (Micikevicius et al. 2018, arXiv:1710.03740)."""
    if precision not in HALF:
        return nullcontext
    return partial(torch.autocast, device.type, dtype=HALF[precision])

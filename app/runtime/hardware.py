"""What the hardware computes fast."""

import torch

from app.errors import InvalidDevice
from app.runtime.network import Precision
from app.runtime.options import PrecisionChoice
from app.torch_private import fused_kernels_exist, multiplies_bfloat16


def fast_precision(device: torch.device) -> Precision | None:
    """The precision less than float32 for which a device has units; None if it would only emulate it."""
    if device.type == "cuda":
        return "float16" if torch.cuda.get_device_capability(device) >= (7, 0) else None
    return "bfloat16" if multiplies_bfloat16() and fused_kernels_exist() else None


def precisions(choice: PrecisionChoice, device: torch.device) -> tuple[Precision, ...]:
    """What is to be tried, the best first; raises InvalidDevice for what a device would only emulate, slowly."""
    fast = fast_precision(device)
    if choice == "auto":
        return ("float32",) if fast is None else (fast, "float32")
    on_gpu = device.type == "cuda" and choice == "bfloat16" and torch.cuda.is_bf16_supported(including_emulation=False)
    if choice not in ("float32", fast) and not on_gpu:
        known = "float32 only" if fast is None else f"float32 and {fast}"
        raise InvalidDevice(f"precision is {choice}, and {device} computes {known}; use auto, or one of these")
    return (choice,)

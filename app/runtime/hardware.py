"""The precisions in which the hardware computes fast."""

import torch

from app.errors import InvalidDevice
from app.runtime.network import Precision
from app.runtime.options import PrecisionChoice
from app.torch_private import fused_kernels_exist, multiplies_bfloat16


def fast_precision(device: torch.device) -> Precision | None:
    """The precision below float32 that a device computes in hardware; None if it would only emulate one."""
    if device.type == "cuda":
        return Precision.float16 if torch.cuda.get_device_capability(device) >= (7, 0) else None
    return Precision.bfloat16 if multiplies_bfloat16() and fused_kernels_exist() else None


def precisions(choice: PrecisionChoice, device: torch.device) -> tuple[Precision, ...]:
    """The precisions to try, the best first. Raises InvalidDevice for one that the device would emulate, slowly."""
    fast = fast_precision(device)
    if choice == "auto":
        return (Precision.float32,) if fast is None else (fast, Precision.float32)
    on_gpu = (
        device.type == "cuda"
        and choice is Precision.bfloat16
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    if choice not in (Precision.float32, fast) and not on_gpu:
        known = "float32 only" if fast is None else f"float32 and {fast}"
        raise InvalidDevice(f"precision is {choice}, and {device} computes {known}; use auto, or one of these")
    return (choice,)

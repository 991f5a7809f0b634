"""Every use of torch that is not part of its documented interface, so that a new release is checked in one place.

Tested with torch 2.10 to 2.13; `tests/test_torch_private.py` fails if one of these functions has changed.
"""

import platform
from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor

TESTED_VERSIONS = ("2.10", "2.11", "2.12", "2.13")
"""The releases of torch with which this module was tested."""


def int8_product(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """The product of left [n,K] int8 and right [K,m] int8, written to `out` [n,m] int32."""
    return torch._int_mm(left, right, out=out)


def multiplies_int8() -> bool:
    """Whether the processor has VNNI, which multiplies 8-bit integers fast."""
    supported = getattr(torch.cpu, "_is_vnni_supported", None)
    return supported is not None and bool(supported())


def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 fast, by AMX or AVX-512."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def change_count(tensor: Tensor) -> int:
    """A number that grows with every in-place change of the tensor; always 0 for tensors made in inference mode."""
    return 0 if tensor.is_inference() else tensor._version


def fused_kernels_exist() -> bool:
    """Whether this build of torch has oneDNN's fused convolutions for this processor."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # not annotated
    return x86 and available and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def packed_weight(weight: Tensor, geometry: Sequence[object], source: Sequence[int], *, transposed: bool) -> Tensor:
    """A convolution's weight in the memory layout that oneDNN uses for inputs of the size `source`, [n,C,h,w].

    `geometry`: padding, output padding (only if transposed), stride, dilation, groups.
    """
    ops = torch.ops.mkldnn
    pack = ops._reorder_convolution_transpose_weight if transposed else ops._reorder_convolution_weight
    packed: Tensor = pack(weight, *geometry, list(source))
    return packed


def fused_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Sequence[object],
    *,
    relu: bool = False,
    limit: float = inf,
    transposed: bool = False,
) -> Tensor:
    """The convolution of x. `relu` replaces negative values by 0, and values over `limit` by `limit`.

    For `geometry` see `packed_weight`.
    """
    ops = torch.ops.mkldnn
    kernel = ops._convolution_transpose_pointwise if transposed else ops._convolution_pointwise
    after: tuple[object, ...] = ("relu" if relu else "none", [], "")
    if relu and limit < inf:
        after = ("hardtanh", [0.0, limit], "")
    y: Tensor = kernel(x, weight, bias, *geometry, *after)
    return y


def fused_convolution_and_addition(
    x: Tensor,
    add: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Sequence[object],
    *,
    relu: bool,
    in_place: bool,
) -> Tensor:
    """The convolution of x plus `add`; `relu` replaces negative values by 0. `in_place` writes the result to `add`."""
    ops = torch.ops.mkldnn
    after: tuple[object, ...] = ("add", 1.0, "relu" if relu else None, [], "")
    if in_place:
        y: Tensor = ops._convolution_pointwise_.binary(add, x, weight, bias, *geometry, *after)
    else:
        y = ops._convolution_pointwise.binary(x, add, weight, bias, *geometry, *after)
    return y

"""Winograd convolutions, which have fewer multiplications, give the result of plain convolutions."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from app.runtime.program import Convolution
from app.runtime.winograd import WinogradConvolution, has_gain
from app.torch_private import fused_kernels_exist

pytestmark = pytest.mark.skipif(not fused_kernels_exist(), reason="no fused kernels for this processor")


def convolution(channels: int, out: int, **options: Any) -> nn.Conv2d:
    torch.manual_seed(0)
    options = {"kernel_size": 3, "padding": 1, **options}
    return nn.Conv2d(channels, out, **options).requires_grad_(False)


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize(("count", "size"), [(1, (16, 16)), (3, (16, 16)), (2, (13, 30)), (1, (3, 1)), (2, (32, 8))])
def test_winograd_equals_the_convolution(size: tuple[int, int], count: int, added: bool, relu: bool) -> None:
    module = convolution(128, 144)
    run = WinogradConvolution(Convolution(0, module, add=1 if added else None, relu=relu), (128, 16, 16))
    x, add = channels_last(torch.randn(count, 128, *size)), channels_last(torch.randn(count, 144, *size))
    kept = add.clone()

    found = run(x, add) if added else run(x)

    expected = F.conv2d(
        x.double(), module.weight.double(), module.bias.double() if module.bias is not None else None, 1, 1
    )
    expected = expected + add if added else expected
    expected = expected.relu() if relu else expected
    assert found.shape == expected.shape
    assert float((found - expected).abs().max() / expected.abs().max()) < 2e-5
    assert torch.equal(add, kept)


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"padding": 0}, {"dilation": 2, "padding": 2}, {"groups": 2}, {"kernel_size": 1}]
)
def test_other_convolutions_do_not_use_winograd(options: dict[str, Any]) -> None:
    assert has_gain(Convolution(0, convolution(256, 256)), (256, 16, 16))
    assert not has_gain(Convolution(0, convolution(256, 256, **options)), (256, 16, 16))


def test_small_convolutions_do_not_use_winograd() -> None:
    assert not has_gain(Convolution(0, convolution(64, 256)), (64, 16, 16))
    assert not has_gain(Convolution(0, convolution(256, 64)), (256, 16, 16))
    assert not has_gain(Convolution(0, convolution(256, 256)), (256, 12, 16))

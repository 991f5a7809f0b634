"""Torch's undocumented functions still behave as this code expects."""

import re
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from app import torch_private
from app.torch_private import TESTED_VERSIONS

ROOT = Path(__file__).parent.parent
PRIVATE = re.compile(r"\btorch(\.(?!ops\b)\w+)*\._[a-z]\w*|torch\.ops\.mkldnn|\._version\b")
NAMES_IN_PICKLES = ROOT / "app/importing/unpickler.py"
needs_kernels = pytest.mark.skipif(not torch_private.fused_kernels_exist(), reason="no fused kernels here")


def test_the_installed_release_of_torch_was_tried() -> None:
    assert ".".join(torch.__version__.split(".")[:2]) in TESTED_VERSIONS


def test_no_other_module_uses_private_functions_of_torch() -> None:
    found = {
        path.name
        for path in (ROOT / "app").rglob("*.py")
        if path != NAMES_IN_PICKLES and PRIVATE.search(re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL))
    }
    assert found == {"torch_private.py"}


def test_products_of_8_bit_integers_are_exact() -> None:
    left, right = (torch.randint(-9, 10, shape, dtype=torch.int8) for shape in ((32, 64), (64, 48)))
    found = torch_private.int8_product(left, right, torch.empty(32, 48, dtype=torch.int32))
    assert torch.equal(found, (left.double() @ right.double()).int())


def test_processor_features_are_reported() -> None:
    assert torch_private.multiplies_int8() in (True, False)
    assert torch_private.multiplies_bfloat16() in (True, False)


def test_changes_in_place_are_counted() -> None:
    tensor = torch.zeros(3)
    before = torch_private.change_count(tensor)
    tensor[0] = 1
    assert torch_private.change_count(tensor) > before
    with torch.inference_mode():
        assert torch_private.change_count(torch.zeros(3)) == 0


@needs_kernels
@pytest.mark.parametrize("relu", [False, True])
def test_fused_convolutions_equal_plain_ones(relu: bool) -> None:
    x, weight, bias = torch.randn(2, 8, 16, 16), torch.randn(6, 8, 3, 3), torch.randn(6)
    geometry = [1, 1], [1, 1], [1, 1], 1
    expected = F.conv2d(x, weight, bias, padding=1)
    packed = torch_private.packed_weight(weight, geometry, x.shape, transposed=False)
    for each in (weight, packed):
        found = torch_private.fused_convolution(x, each, bias, geometry, relu=relu)
        torch.testing.assert_close(found, expected.relu() if relu else expected, rtol=1e-4, atol=1e-4)
    add = torch.randn(2, 6, 16, 16)
    for in_place in (False, True):
        found = torch_private.fused_convolution_and_addition(
            x, add.clone(), packed, bias, geometry, relu=relu, in_place=in_place
        )
        total = expected + add
        torch.testing.assert_close(found, total.relu() if relu else total, rtol=1e-4, atol=1e-4)


@needs_kernels
@pytest.mark.parametrize("groups", [1, 8])
def test_fused_convolutions_limit_their_results(groups: int) -> None:
    x, weight = torch.randn(2, 8, 16, 16) * 5, torch.randn(8, 8 // groups, 3, 3)
    geometry = [1, 1], [2, 2], [1, 1], groups
    packed = torch_private.packed_weight(weight, geometry, x.shape, transposed=False)
    found = torch_private.fused_convolution(x, packed, None, geometry, relu=True, limit=6.0)
    expected = F.conv2d(x, weight, padding=1, stride=2, groups=groups)
    torch.testing.assert_close(found, expected.clamp(0, 6), rtol=1e-4, atol=1e-4)
    assert bool((expected > 6).any())


@needs_kernels
def test_fused_transposed_convolutions_equal_plain_ones() -> None:
    x, weight = torch.randn(2, 8, 16, 16), torch.randn(8, 6, 2, 2)
    geometry = [0, 0], [0, 0], [2, 2], [1, 1], 1
    packed = torch_private.packed_weight(weight, geometry, x.shape, transposed=True)
    found = torch_private.fused_convolution(x, packed, None, geometry, transposed=True)
    torch.testing.assert_close(found, F.conv_transpose2d(x, weight, stride=2), rtol=1e-4, atol=1e-4)

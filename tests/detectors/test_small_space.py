import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from app.detectors.small_space import Codes, SmallSpace


def points_of(codes: Codes) -> Tensor:
    return codes.values.double() * codes.scale.double()[:, None]


@pytest.mark.parametrize("dtype", [torch.int8, torch.bfloat16, torch.float32])
@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 60),
    channels=st.integers(1, 300),
    size=st.integers(2, 64),
    exponent=st.integers(-10, 10),
    group=st.sampled_from([1, 4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_distances_of_codes_less_their_errors_are_lower_bounds(
    dtype: torch.dtype, rows: int, channels: int, size: int, exponent: int, group: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    spread = 10.0**exponent * torch.rand(channels, generator=generator) ** 4
    bank, x = (torch.randn(count, channels, generator=generator) * spread + spread for count in (4 * rows, 30))
    space = SmallSpace(bank, size, dtype)
    near, far = space.codes(bank, group), space.codes(x)
    between = torch.linalg.vector_norm(points_of(far)[:, None] - points_of(near), dim=2)
    bounds = between - far.errors[:, None] - near.errors
    true = torch.linalg.vector_norm(x.double()[:, None] - bank.double(), dim=2)
    assert (bounds <= true).all()


def test_errors_are_small_compared_with_the_lengths() -> None:
    bank = torch.randn(2000, 384) * torch.linspace(1, 0.05, 384)
    codes = SmallSpace(bank, 192, torch.int8).codes(bank)
    assert (codes.errors <= 0.03 * codes.norms.sqrt()).all()
    codes = SmallSpace(bank, 192, torch.float32).codes(bank)
    assert (codes.errors <= 0.005 * codes.norms.sqrt()).all()


def test_the_points_of_a_group_share_a_scale() -> None:
    bank = torch.randn(64, 16)
    scale = SmallSpace(bank, 8, torch.int8).codes(bank, group=32).scale.view(2, 32)
    assert (scale == scale[:, :1]).all()
    assert scale[0, 0] != scale[1, 0]

"""Families of points for tests of exact searches, and the check that every exact search must pass."""

from collections.abc import Callable

import torch
from torch import Tensor

Family = Callable[[int, int, torch.Generator], Tensor]


def normal(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, channels, generator=generator)


def clustered(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    centres = 10 * torch.randn(4, channels, generator=generator)
    chosen = torch.randint(4, (rows,), generator=generator)
    return centres[chosen] + 1e-3 * normal(rows, channels, generator)


def repeated(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return normal(5, channels, generator)[torch.randint(5, (rows,), generator=generator)]


def flat(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    """Points of a two-dimensional subspace: two principal components leave no remainder."""
    return normal(rows, 2, generator) @ normal(2, channels, generator)


def tiny(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return 1e-12 * normal(rows, channels, generator)


def huge(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return 1e12 * normal(rows, channels, generator)


def of_all_lengths(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return normal(rows, channels, generator) * 10.0 ** torch.randint(-6, 6, (rows, 1), generator=generator)


def sparse(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return normal(rows, channels, generator).relu() * (torch.rand(rows, channels, generator=generator) < 0.1)


def far_from_zero(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return 100 + normal(rows, channels, generator)


def with_an_outlier(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    points = normal(rows, channels, generator)
    points[0] *= 1e5
    return points


FAMILIES: list[Family] = [
    normal, clustered, repeated, flat, tiny, huge, of_all_lengths, sparse, far_from_zero, with_an_outlier
]  # fmt: skip


def assert_nearest(found: tuple[Tensor, Tensor], queries: Tensor, bank: Tensor, tolerance: float = 0.0) -> None:
    """Asserts that distances are those of the rows found, and that no row is nearer by more than the tolerance.

    Differences within the rounding of float32 are accepted.
    """
    distances, index = found
    true = torch.linalg.vector_norm(queries.double()[:, None] - bank.double(), dim=2)
    of_index = true.gather(1, index[:, None])[:, 0]
    torch.testing.assert_close(distances.double(), of_index, rtol=1e-5, atol=1e-17)
    squares = queries.double().square().sum(1) + bank.double().square().sum(1).amax()
    rounding = squares * (4 * (bank.shape[1] + 8) * 2**-24)
    least = true.amin(1) / (1 - tolerance)
    assert (of_index.square() <= least.square() * (1 + 1e-5) + rounding + 1e-34).all()

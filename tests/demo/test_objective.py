import torch

from scripts.demo.objective import neighbour_loss


def _picture(odd_value: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with one odd square of cells that stand `odd_value` apart, and where it is."""
    features = 0.1 * torch.randn(1, 8, 12, 12, generator=torch.Generator().manual_seed(0))
    odd = torch.zeros(1, 12, 12, dtype=torch.bool)
    odd[:, 4:8, 4:8] = True
    return features + odd_value * odd[:, None], odd


def test_the_loss_falls_as_odd_cells_move_away() -> None:
    losses = [neighbour_loss(*_picture(value)).item() for value in (0.0, 0.3, 3.0)]

    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.2 < 0.8 < losses[0]


def test_the_loss_does_not_depend_on_the_size_of_the_features() -> None:
    features, odd = _picture(1.0)

    torch.testing.assert_close(neighbour_loss(10.0 * features, odd), neighbour_loss(features, odd), atol=1e-2, rtol=0)


def test_pictures_without_odd_cells_or_with_nothing_else_have_a_loss() -> None:
    features, odd = _picture(1.0)

    assert neighbour_loss(features, torch.zeros_like(odd)).isfinite()
    assert neighbour_loss(features, torch.ones_like(odd)) == 0

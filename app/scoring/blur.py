"""The Gaussian blur of anomaly maps: anomalib's sigma and radius, done along rows and then along columns."""

import torch
from torch import Tensor
from torch.nn import functional as F

SIGMA = 4.0
RADIUS = int(4 * SIGMA + 0.5)


def gaussian_blur(rows: Tensor) -> Tensor:
    """Blurs [h + 2 * RADIUS,W] to [h,W]; columns are reflected at the edges, rows have their context already."""
    kernel = _kernel(rows.dtype, rows.device)
    wide = rows.index_select(
        1, reflected(torch.arange(-RADIUS, rows.shape[1] + RADIUS, device=rows.device), rows.shape[1])
    )
    across = F.conv2d(wide[None, None], kernel[None, None, None, :])
    return F.conv2d(across, kernel[None, None, :, None])[0, 0]


def reflected(positions: Tensor, length: int) -> Tensor:
    """Positions of any size folded back into [0, length), mirrored at the first and the last without repeating them."""
    period = max(2 * (length - 1), 1)
    folded = positions.remainder(period)
    return torch.minimum(folded, period - folded) if length > 1 else torch.zeros_like(positions)


def _kernel(dtype: torch.dtype, device: torch.device) -> Tensor:
    x = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    weights = torch.exp(-(x**2) / (2 * SIGMA**2))
    return (weights / weights.sum()).to(device, dtype)

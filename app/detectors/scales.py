"""The scale on which distances of several detectors can be combined."""

from torch import Tensor

EXCEEDING = 0.001
"""The share of the cells of normal pictures that exceed a detector's scale."""
LEAST_SCALE = 1e-6
"""The smallest scale, so that no distance is divided by 0, even if all patches are alike."""


def scale_of(distances: Tensor) -> Tensor:
    """The distance that 1 in 1000 cells exceeds, of the distances [...,p] of cells of normal pictures: [...].

    The detector must not have been fitted to these pictures.
    """
    return distances.quantile(1 - EXCEEDING, dim=-1).clamp(min=LEAST_SCALE)

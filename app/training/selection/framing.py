"""Whether a thumbnail of each picture suits the pictures of a training."""

from collections.abc import Sequence

from app.detectors import Detector
from app.detectors.patch_embedding import PatchDetector
from app.tiling import Size, Tiling
from app.training.plan import Job

ALIKE = 1.05  # the largest ratio of the edges of pictures that show a part in the same framing
SHRUNK = 6.0  # the largest factor by which thumbnails are smaller than pictures; those that were measured: 2 and 4.9


def against_thumbnail(detector: Detector, tiling: Tiling, job: Job) -> str | None:
    """Why thumbnails do not suit this training; None if they do.

    A thumbnail compares each of its places with the same place of the training pictures, so all pictures must show the
    part in the same framing, which equal sizes suggest. It hardly shows defects that it makes much smaller, and adds
    the noise of normal pictures to those that tiles find.
    """
    if not isinstance(detector, PatchDetector):
        return f"{detector.name} cannot measure them"
    if not tiling.enable:
        return "pictures are not tiled"
    sizes = [job.preprocessing.target_size(*size) for size in job.sizes]
    if not alike(sizes):
        return "pictures have different sizes"
    factor = max(edge / tile for size in sizes for edge, tile in zip(size, tiling.tile_size, strict=True))
    if factor <= 1:
        return "pictures are not larger than a tile"
    if factor > SHRUNK:
        return f"they would be smaller than the pictures by a factor of {factor:.1f}, more than {SHRUNK:g}"
    return None


def alike(sizes: Sequence[Size]) -> bool:
    """Whether pictures of these sizes seem to show a part in the same framing: each edge differs by at most 5 %."""
    return all(max(edges) <= ALIKE * min(edges) for edges in zip(*sizes, strict=True))

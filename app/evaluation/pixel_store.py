"""The pixels of many labelled maps, sorted per picture and stored on disk."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from app.evaluation.disk_array import DiskArray
from app.evaluation.pixel_grid import PixelGrid, count_on_grid
from app.scoring import Confusion, Runs, Steps, Totals, merge, to_keys

BLOCK = 1 << 19
"""Anomalous pixels that are ranked at once, at about 250 bytes each: 130 MB."""


@dataclass(frozen=True, slots=True)
class StoredPixels:
    """The pixels of one picture in a PixelStore."""

    normal: slice  # of the array of normal pixels
    anomalous: slice  # of the array of anomalous pixels
    regions: int  # number of defect regions


class PixelStore:
    """Stores pixels in temporary files: 4 bytes per normal pixel, 12 bytes per anomalous pixel.

    directory: where the files are; None: the system's directory for temporary files
    block: the largest number of steps, and of anomalous pixels, that are ranked at once; see `app.scoring.merging`

    Memory holds the picture that is being added, at about 40 bytes per pixel, and one block; never the pixels of all
    pictures. The system reclaims the memory of the mapped files when it needs it.
    """

    def __init__(self, directory: Path | None = None, block: int = BLOCK) -> None:
        self._block = block
        with ExitStack() as files:
            self._normal = files.enter_context(DiskArray(np.uint32, directory))
            self._anomalous = files.enter_context(DiskArray(np.uint32, directory))
            self._overlap = files.enter_context(DiskArray(np.float64, directory))
            self._files = files.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, anomaly_map: NDArray[np.float32], mask: NDArray[np.bool_]) -> StoredPixels:
        """Stores a map and its mask, [H,W] each. Regions are 8-connected. Raises ValueError for NaN."""
        keys, inside = to_keys(anomaly_map.ravel()), mask.ravel()
        normal = self._normal.append(np.sort(keys[~inside]))
        if not inside.any():
            return StoredPixels(normal, slice(0, 0), 0)
        labels, regions = ndimage.label(mask, structure=np.ones((3, 3)))
        region = labels.ravel()[inside]
        order = np.argsort(keys[inside])
        self._overlap.append(1 / np.bincount(region)[region[order]])
        return StoredPixels(normal, self._anomalous.append(keys[inside][order]), regions)

    def totals(self, chosen: Sequence[StoredPixels]) -> Totals:
        """The numbers of pixels and regions of the chosen pictures."""
        normal = sum(stored.normal.stop - stored.normal.start for stored in chosen)
        anomalous = sum(stored.anomalous.stop - stored.anomalous.start for stored in chosen)
        return Totals(normal, anomalous, sum(stored.regions for stored in chosen))

    def confusion(self, chosen: Sequence[StoredPixels], threshold: float) -> Confusion:
        """The confusion matrix of the chosen pictures' pixels at the threshold, which is compared as float32."""
        key, runs, totals = to_keys(np.array([threshold], np.float32))[0], self._runs(chosen), self.totals(chosen)
        normal, missed = (
            sum(int(run.searchsorted(key, "right")) for run in part) for part in (runs.normal, runs.anomalous)
        )
        return Confusion(totals.anomalous - missed, totals.normal - normal, normal, missed)

    def steps(self, chosen: Sequence[StoredPixels]) -> Iterator[Steps]:
        """The ranking of the chosen pictures' pixels, the highest value first, in blocks of at most `block` steps."""
        return merge(self._runs(chosen), self._block)

    def grid(self, chosen: Mapping[int, StoredPixels], threshold: float | None) -> PixelGrid:
        """The counts of the chosen pictures' pixels for a bootstrap. The keys are the pictures' numbers."""
        stored = list(chosen.values())
        numbers, regions = np.array(list(chosen), np.int64), [each.regions for each in stored]
        return count_on_grid(numbers, self._runs(stored), regions, threshold)

    def _runs(self, chosen: Sequence[StoredPixels]) -> Runs:
        normal, anomalous, overlap = self._normal.read(), self._anomalous.read(), self._overlap.read()
        places = [stored.anomalous for stored in chosen if stored.regions]
        return Runs(
            [normal[stored.normal] for stored in chosen],
            [anomalous[place] for place in places],
            [overlap[place] for place in places],
        )

"""Evidence for the defect regions of a picture: how unusual their peaks are, and the nearest normal patches."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from app.pipeline.assembly import completed
from app.pipeline.evidence import Grid, Neighbour, NormalPatches, nearest, patches_of, prepare_part
from app.pipeline.model import TiledModel
from app.pipeline.prediction import DefectRegion, Prediction
from app.pipeline.roi import Roi
from app.tiling import Size

MOST_REGIONS = 8
"""The largest number of regions of a picture for which evidence is computed: those with the highest peaks."""


@dataclass(frozen=True, slots=True)
class NormalPatch:
    """A normal patch that is near to a region's peak.

    number: of its picture in NormalPatches
    name: of that picture
    size: its (height, width)
    place: the (row, column) of the pixel at the patch's centre
    distance: of the two patches, see Detector.normal_patches
    copied: whether there is a small copy of the picture
    """

    number: int
    name: str
    size: Size
    place: Size
    distance: float
    copied: bool


@dataclass(frozen=True, slots=True)
class RegionEvidence:
    """Evidence for one region.

    ratio: the map's value at the peak, divided by the value that 0.1 % of the values of normal pictures' maps exceed;
        None: that is not known
    patch: the pixels of the cell at the peak, whose patch is compared
    nearest: the nearest normal patches, the nearest first; empty: there are none
    """

    ratio: float | None
    patch: Roi
    nearest: tuple[NormalPatch, ...]


class Evidence:
    """Evidence for the regions of pictures of `size`, (height, width), by one model.

    normal: the normal patches; None: there are none
    normal_level: the value that 0.1 % of the values of normal pictures' maps exceed; None: not known
    """

    def __init__(self, model: TiledModel, normal: NormalPatches | None, normal_level: float | None, size: Size) -> None:
        self._model, self.normal, self._level, self.grid = model, normal, normal_level, Grid.of(model, size)
        self._size = size

    @property
    def most_tiles(self) -> int:
        """The largest number of tiles that the network computes for one picture."""
        return 0 if self.normal is None else MOST_REGIONS * self.grid.most_tiles

    def peaks(self, prediction: Prediction) -> Iterator[tuple[DefectRegion, Size]]:
        """The regions that get evidence, and the (row, column) of the cell at the peak of each."""
        for region in prediction.regions[:MOST_REGIONS]:
            yield region, self.grid.cell(region.peak)

    def compute(self, image: Tensor, prediction: Prediction, roi: Roi | None = None) -> tuple[RegionEvidence, ...]:
        """Evidence for the first regions of a picture [C,H,W], computed by the calling thread.

        roi: the region of interest that the prediction's map shows; None: the whole picture
        """
        return tuple(
            self.of_region(region, prediction, self._search(image, cell), roi)
            for region, cell in self.peaks(prediction)
        )

    def _search(self, image: Tensor, cell: Size) -> tuple[Neighbour, ...]:
        if self.normal is None:
            return ()
        prepared = prepare_part(self._model, image, self.grid.tiles(cell))
        patch = patches_of(self._model, prepared, self._model.outputs(prepared), torch.tensor([cell]))
        return completed(nearest(patch, self.normal.of(self._model.detector)))

    def of_region(
        self, region: DefectRegion, prediction: Prediction, neighbours: tuple[Neighbour, ...], roi: Roi | None
    ) -> RegionEvidence:
        """Evidence for one region, from the normal patches that are nearest to its peak; see `compute` for `roi`."""
        top, left = (roi.top, roi.left) if roi else (0, 0)
        peak = float(prediction.anomaly_map[region.peak[0] - top, region.peak[1] - left])
        (zone,) = (None,) if self._model.zones is None else self._model.zones.at([region.peak], self._size)
        if zone is not None and zone.pixel_multiple is not None:
            peak *= zone.pixel_multiple  # as it was before it was compared with the zone's threshold
        ratio = None if self._level is None else peak / self._level
        normal = self.normal
        described = () if normal is None else tuple(_described(normal, each) for each in neighbours)
        return RegionEvidence(ratio, self.grid.box(self.grid.cell(region.peak)), described)


def _described(normal: NormalPatches, neighbour: Neighbour) -> NormalPatch:
    picture = int(normal.pictures[neighbour.number])
    row, column = normal.places[neighbour.number].tolist()
    copied = normal.reduced[picture] is not None
    return NormalPatch(picture, normal.names[picture], normal.sizes[picture], (row, column), neighbour.distance, copied)

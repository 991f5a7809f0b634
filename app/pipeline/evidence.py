"""Patches at places of a picture, and the normal patches that are nearest to them."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from math import ceil, floor

import torch
from torch import Tensor

from app.detectors import Detector, Features
from app.pipeline.assembly import Assembly
from app.pipeline.model import Prepared, TiledModel
from app.pipeline.parts import Part
from app.pipeline.roi import Roi
from app.tiling import Axis, Size, TilePlan, TilingMode, columns_shown, rows_shown

NEAREST = 3
"""The largest number of normal patches that are named for a region."""
COMPARED_AT_ONCE = 2**14
"""The number of normal patches that one step compares."""


@dataclass(frozen=True, slots=True)
class NormalPatches:
    """Normal patches of a training, with the picture and the place of each.

    names: of the pictures
    sizes: their (height, width) in pixels
    pictures: [n] int32, the number of the picture of each patch
    places: [n,2] int32, the row and column of the pixel at the centre of its cell, before the picture was resized
    patches: [n,C] float16, a sample of `Detector.patches_at`; None: they are the detector's own `normal_patches`
    reduced: a small copy of each picture as JPEG; None: there is none
    """

    names: tuple[str, ...]
    sizes: tuple[Size, ...]
    pictures: Tensor
    places: Tensor
    patches: Tensor | None
    reduced: tuple[bytes | None, ...] = field(repr=False)

    def of(self, detector: Detector) -> Tensor:
        """The patches [n,C]: the sample, or those of the detector."""
        found = self.patches if self.patches is not None else detector.normal_patches
        assert found is not None  # the reader of artifacts requires it
        return found


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A normal patch: its number in NormalPatches, and its distance to the patch at the peak."""

    number: int
    distance: float


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of the first feature of a picture of `size` pixels, (height, width), before it was resized.

    plan: of the whole picture
    stride: of the first feature
    """

    plan: TilePlan
    size: Size
    stride: int

    @classmethod
    def of(cls, model: TiledModel, size: Size) -> "Grid":
        """That of a model for a picture of this size."""
        return cls(model.plan(*size), size, model.detector.feature_strides[0])

    @property
    def of_thumbnail(self) -> "Grid | None":
        """The cells of the picture's thumbnail, which show the whole picture; None: it has none."""
        small = self.plan.thumbnail
        return None if small is None else Grid(small, self.size, self.stride)

    @property
    def cells(self) -> Size:
        """The numbers of rows and columns."""
        return self.plan.y.all_cells(self.stride), self.plan.x.all_cells(self.stride)

    @property
    def most_tiles(self) -> int:
        """The largest number of tiles that show one cell, without those that two strips compute."""
        down, across = (min(axis.count, ceil(axis.tile / axis.step) + axis.moved) for axis in self._axes)
        return down * across

    def cell(self, pixel: Size) -> Size:
        """The (row, column) of the cell that shows this pixel of the picture."""
        found = (
            min(floor((place + 0.5) / self._pixels_per_cell(axis, length)), axis.all_cells(self.stride) - 1)
            for axis, place, length in zip(self._axes, pixel, self.size, strict=True)
        )
        row, column = found
        return row, column

    def box(self, cell: Size) -> Roi:
        """The pixels of the picture that a cell shows."""
        rows, columns = (
            self._span(axis, number, length) for axis, number, length in zip(self._axes, cell, self.size, strict=True)
        )
        return Roi(rows.start, columns.start, len(rows), len(columns))

    def centres(self, cells: Tensor) -> Tensor:
        """The pixels [n,2] int32 at the centres of cells [n,2]."""
        found = []
        for axis, numbers, length in zip(self._axes, cells.unbind(1), self.size, strict=True):
            pixels = ((numbers.double() + 0.5) * self._pixels_per_cell(axis, length)).floor()
            found.append(pixels.clamp(0, length - 1).to(torch.int32))
        return torch.stack(found, 1)

    def tiles(self, cell: Size) -> TilePlan:
        """The plan of the tiles that show a cell, without the thumbnail."""
        rows, columns = (range(number * self.stride, (number + 1) * self.stride) for number in cell)
        return replace(self.plan.part(rows, columns), thumbnail=None)

    @property
    def _axes(self) -> tuple[Axis, Axis]:
        return self.plan.y, self.plan.x

    def _pixels_per_cell(self, axis: Axis, length: int) -> float:
        return length / axis.length / axis.cells_per_pixel(self.stride)

    def _span(self, axis: Axis, number: int, length: int) -> range:
        edge = self._pixels_per_cell(axis, length)
        first = min(floor(number * edge), length - 1)
        return range(first, max(min(ceil((number + 1) * edge), length), first + 1))


class PatchAssembly(Assembly):
    """Takes the patches at some cells of a picture, instead of making its map.

    cells: [n,2] int64, the rows and columns of cells of the first feature of the whole picture
    patches: [n,C] float32, after all tiles that show the cells were added
    """

    def __init__(self, model: TiledModel, prepared: Prepared, cells: Tensor) -> None:
        super().__init__(model, prepared, scored=False)
        self._cells = cells.to(model.device)
        self.patches = torch.empty(0, device=model.device)

    def _measure(self, part: Part) -> None:
        stride, (height, width) = self._detector.feature_strides[0], part.features[0].shape[-2:]
        for number, (top, left) in enumerate(part.places):
            own = self._cells - torch.tensor([top // stride, left // stride], device=self._device)
            inside = ((own >= 0) & (own < torch.tensor([height, width], device=self._device))).all(1)
            if not inside.any():
                continue
            found = self._detector.patches_at(tuple(each[number] for each in part.features), own[inside])
            if not len(self.patches):
                self.patches = found.new_zeros(len(self._cells), found.shape[1])
            self.patches[inside] = found


def prepare_part(model: TiledModel, image: Tensor, plan: TilePlan) -> Prepared:
    """What a picture [C,H,W] needs for these of its tiles, on the device; only the pixels that they show, if possible.

    The whole picture is prepared if it is resized, stretched, or not tiled.
    """
    if not plan.tiled or plan.y.mode is TilingMode.interpolation or tuple(image.shape[-2:]) != plan.image_size:
        return model.prepare(image, None, plan)
    rows, columns = rows_shown(plan), columns_shown(plan)
    pixels = model.uploader.upload(image[:, rows.start : rows.stop, columns.start : columns.stop])
    white = float(torch.iinfo(image.dtype).max)
    return Prepared(pixels, white, plan, plan.image_size, None, rows.start, columns.start)


@torch.inference_mode()
def nearest(patch: Tensor, patches: Tensor, count: int = NEAREST) -> Generator[None, None, tuple[Neighbour, ...]]:
    """The normal patches [n,C] that are nearest to a patch [1,C], the nearest first: at most `count`.

    Of equally distant ones, those with smaller numbers come first. A step compares COMPARED_AT_ONCE patches.
    """
    distances, numbers = (patch.new_empty(0), torch.empty(0, dtype=torch.int64, device=patch.device))
    for first in range(0, len(patches), COMPARED_AT_ONCE):
        rows = patches[first : first + COMPARED_AT_ONCE].to(patch.device)
        found = torch.linalg.vector_norm(rows.float() - patch, dim=1)
        distances = torch.cat([distances, found])
        numbers = torch.cat([numbers, torch.arange(first, first + len(rows), device=patch.device)])
        order = distances.sort(stable=True).indices[:count]
        distances, numbers = distances[order], numbers[order]
        yield
    pairs = zip(numbers.tolist(), distances.tolist(), strict=True)
    return tuple(Neighbour(number, distance) for number, distance in pairs)


@torch.inference_mode()
def patches_of(model: TiledModel, prepared: Prepared, outputs: Iterable[Features], cells: Tensor) -> Tensor:
    """The patches [n,C] float32 at cells [n,2] of a picture, from the features of all its tiles, in order."""
    assembly = PatchAssembly(model, prepared, cells)
    for features in outputs:
        for _ in assembly.add(features):
            pass
    return assembly.patches

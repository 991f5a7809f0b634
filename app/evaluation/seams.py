"""Measures how far the features of tiles are from those of the untiled network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.detectors import Features
from app.errors import InsufficientMemory, InvalidDataset, InvalidTiling
from app.pipeline import Prepared, TiledModel
from app.tiling import Axis, Blend, Size, TilePlan, Tiling, TilingMode, plan, untile

HALOS = (0, 32, 64, 96, 128)
"""The halos of the comparison, in pixels. Each is rounded up to the multiple that the network needs."""

BINS = (8, 16, 32, 64)
"""The distances from an edge between which errors are averaged, in pixels."""

EDGE = 1024
"""The largest edge of the part of a picture that is compared. It is larger if two windows need more."""

OWN = "as the model"


@dataclass(frozen=True, slots=True)
class TilingErrors:
    """The errors of a tiling's features: 0.01 is 1 % of the length of the untiled network's features in the same cell.

    work: the pixels that the network computes for a pixel of the picture
    mean, largest: of all cells of all pictures
    at_tiles: means by BINS, of cells that are nearer to an edge between tiles than to the picture's; None: no such cell
    at_picture: the same of the other cells, by the distance from the picture's edge
    """

    name: str
    tiling: Tiling
    work: float
    mean: float
    largest: float
    at_tiles: tuple[float | None, ...]
    at_picture: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ErrorMap:
    """The errors of a tiling in one picture.

    errors: [h,w] float32 on the CPU, one for each cell of the finest feature
    rows, columns: the edges between tiles, in pixels
    """

    name: str
    errors: Tensor
    rows: tuple[int, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison of one picture. `image` is the part that was compared, [C,H,W] in the range 0 to `white`."""

    image: Tensor
    white: float
    maps: tuple[ErrorMap, ...]


def tilings(model: TiledModel) -> dict[str, Tiling]:
    """The tilings to compare, by name: the model's, the same tiles with each halo, and with half overlap.

    Raises InvalidTiling for a model that does not tile.
    """
    if not model.tiling.enable:
        raise InvalidTiling("the model takes each picture as one tile, so that it has no seams; use a model with tiles")
    own, multiple = replace(model.tiling, thumbnail=False), model.detector.tile_multiple
    plain = replace(own, stride=own.tile_size, remove_border_count=0, mode=TilingMode.within, blend=Blend.mean)
    halos = sorted({-(-halo // multiple) * multiple for halo in HALOS})
    height, width = (-(-edge // (2 * multiple)) * multiple for edge in own.tile_size)
    half = replace(plain, stride=(height, width), blend=Blend.gaussian, halo=0)
    return {
        OWN: own,
        **{f"halo of {halo}": replace(plain, halo=halo) for halo in halos},
        "half overlap, Gaussian": half,
    }


class SeamMeter:
    """Compares tilings with the untiled network, one picture after the other.

    free_bytes: the free memory of the model's device, of which the untiled network may take half
    """

    def __init__(self, model: TiledModel, free_bytes: int) -> None:
        self._model, self._tilings = model, tilings(model)
        self._edge = _largest_edge(model, self._tilings, free_bytes)
        self._sums = {name: _Sums() for name in self._tilings}
        self.sizes: list[Size] = []
        """`(height, width)` in pixels of the parts that were compared."""

    @torch.inference_mode()
    def add(self, image: Tensor) -> Compared:
        """Compares a picture [C,H,W], or the part in its middle of at most the largest edge, in whole cells.

        Raises InvalidDataset for a picture that is smaller than a cell of the deepest layer.
        """
        prepared = self._model.prepare(image)
        pixels = _middle(prepared.pixels, self._edge, self._model.detector.tile_multiple)
        height, width = pixels.shape[-2:]
        self.sizes.append((height, width))
        part = replace(prepared, pixels=pixels, image_size=(height, width))
        untiled = self._features(part, plan(Tiling(enable=False), height, width))
        maps = tuple(self._compared(name, part, untiled) for name in self._tilings)
        return Compared(pixels.cpu(), prepared.white, maps)

    def results(self) -> list[TilingErrors]:
        """The errors of all pictures so far, at least one, by tiling."""
        return [self._sums[name].result(name, tiling) for name, tiling in self._tilings.items()]

    def _compared(self, name: str, part: Prepared, untiled: Features) -> ErrorMap:
        tiling, detector = self._tilings[name], self._model.detector
        height, width = part.image_size
        tiles = plan(tiling, height, width, tiling.grid(detector.stride, detector.tile_multiple))
        stride = min(detector.feature_strides)
        errors = _errors(self._features(part, tiles), untiled, detector.feature_strides)
        computed = tiles.count * tiles.input_size[0] * tiles.input_size[1]
        self._sums[name].add(errors, _distances(tiles, stride), computed / (height * width))
        return ErrorMap(name, errors, _edges(tiles.y), _edges(tiles.x))

    def _features(self, part: Prepared, tiles: TilePlan) -> Features:
        """The stitched features of a picture, [1,C,h,w] each."""
        batches = list(self._model.outputs(replace(part, plan=tiles)))
        return tuple(untile(torch.cat(each), tiles) for each in zip(*batches, strict=True))


def _largest_edge(model: TiledModel, compared: dict[str, Tiling], free_bytes: int) -> int:
    """The largest edge of the compared part, in pixels, so that the untiled network fits into half of the memory."""
    windows = [edge + 2 * tiling.halo for tiling in compared.values() for edge in tiling.tile_size]
    wanted, multiple = max(EDGE, 2 * max(windows)), model.detector.tile_multiple
    bytes_of_pixel = model.detector.activation_bytes(2**20) / 2**20
    fitting = isqrt(int(free_bytes / 2 / bytes_of_pixel)) if bytes_of_pixel else wanted
    if fitting < multiple:
        raise InsufficientMemory(
            f"{free_bytes / 2**20:.0f} MiB are free on {model.device}, too few for the network without tiles, even for "
            f"{multiple} x {multiple} pixels; end other programs, or use another device"
        )
    return min(wanted, fitting)


def _middle(pixels: Tensor, edge: int, multiple: int) -> Tensor:
    """The middle of a picture: at most `edge` pixels along each edge, and a multiple of `multiple`."""
    rows, columns = (min(length, edge) // multiple * multiple for length in pixels.shape[-2:])
    if not rows or not columns:
        height, width = pixels.shape[-2:]
        raise InvalidDataset(
            f"a picture of {width} x {height} pixels (width x height) is smaller than a cell of the network's deepest "
            f"layer, {multiple} x {multiple}; use larger pictures"
        )
    top, left = ((length - part) // 2 for length, part in zip(pixels.shape[-2:], (rows, columns), strict=True))
    return pixels[:, top : top + rows, left : left + columns].contiguous()


def _errors(tiled: Features, untiled: Features, strides: Sequence[int]) -> Tensor:
    """The error of each cell of the finest feature, [h,w] float32 on the CPU: the largest of all features."""
    found = []
    for own, exact, stride in zip(tiled, untiled, strides, strict=True):
        norms = (torch.linalg.vector_norm(each[0].float(), dim=0) for each in (own - exact, exact))
        difference, length = norms
        times = stride // min(strides)
        error = difference / length.clamp_(min=torch.finfo(torch.float32).tiny)
        found.append(error.repeat_interleave(times, 0).repeat_interleave(times, 1))
    height, width = (min(each.shape[dim] for each in found) for dim in (0, 1))
    return torch.stack([each[:height, :width] for each in found]).amax(0).cpu()


def _edges(axis: Axis) -> tuple[int, ...]:
    """The edges between tiles. A moved tile is used from the end of the tile before it on."""
    starts = axis.starts[:-1] if axis.moved else axis.starts
    found = {*starts, *(start + axis.tile for start in axis.starts)}
    return tuple(sorted(edge for edge in found if 0 < edge < axis.length))


def _distances(tiles: TilePlan, stride: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each cell, [h,w], the distances in pixels of its centre from the nearest edge between tiles, and from the
    nearest edge of the picture.
    """
    between, around = [], []
    for axis in (tiles.y, tiles.x):
        centres = (np.arange(axis.cells(stride)) + 0.5) * stride
        edges = np.array([*_edges(axis), np.inf])
        between.append(np.abs(centres[:, None] - edges).min(1))
        around.append(np.minimum(centres, axis.length - centres))
    return np.minimum.outer(*between), np.minimum.outer(*around)


class _Sums:
    """Sums up the errors of one tiling."""

    def __init__(self) -> None:
        self._errors, self._cells = np.zeros((2, len(BINS) + 1)), np.zeros((2, len(BINS) + 1))
        self._works: list[float] = []
        self._largest = 0.0

    def add(self, errors: Tensor, distances: Iterable[NDArray[np.float64]], work: float) -> None:
        """Adds the errors [h,w] of a picture. `distances` are those from tiles' edges, and from the picture's."""
        values, (between, around) = errors.double().numpy(), distances
        at_picture = around <= between
        for side, (inside, distance) in enumerate(((~at_picture, between), (at_picture, around))):
            numbers = np.digitize(distance[inside], BINS)
            self._errors[side] += np.bincount(numbers, values[inside], len(BINS) + 1)
            self._cells[side] += np.bincount(numbers, minlength=len(BINS) + 1)
        self._largest = max(self._largest, float(values.max()))
        self._works.append(work)

    def result(self, name: str, tiling: Tiling) -> TilingErrors:
        """The errors of all pictures."""
        means = [
            tuple(float(error / cells) if cells else None for error, cells in zip(errors, counts, strict=True))
            for errors, counts in zip(self._errors, self._cells, strict=True)
        ]
        mean = float(self._errors.sum() / self._cells.sum())
        return TilingErrors(name, tiling, float(np.mean(self._works)), mean, self._largest, *means)

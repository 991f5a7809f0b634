"""The patches of reviewed pictures from which a second stage learns."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from app.detectors import Features, PatchDetector
from app.pipeline import Prepared
from app.training.one_pass import add_features

MOST_HARMLESS, MOST_OF_DEFECTS = 50, 256
"""The most patches of a harmless picture, of each kind, and of the defects of one picture."""
MOST_IN_ALL = 10_000
"""The most harmless patches of each kind, and the most of defects: with more pictures, each contributes fewer."""


@dataclass(frozen=True, slots=True)
class Picks:
    """Patches [n,C] float32 of a picture, on the CPU.

    defect: in confirmed defects: the half that is farthest from normal, because areas are drawn generously
    farthest: of a harmless picture, the patches that are farthest from normal
    usual: of a harmless picture, random patches
    """

    defect: Tensor
    farthest: Tensor
    usual: Tensor


def picks_of(
    detector: PatchDetector,
    prepared: Prepared,
    outputs: Iterable[Features],
    inside: Tensor | None,
    pictures: int,
    seed: int,
) -> Picks:
    """The patches of a picture, which the detector has not learned.

    inside: the cells [rows,columns] bool of confirmed defects; None: the picture is harmless
    pictures: the number of pictures of the same kind
    """
    room = max(MOST_IN_ALL // pictures, 1)
    if inside is None:
        picker: _HarmlessPicker | _DefectPicker = _HarmlessPicker(detector, min(MOST_HARMLESS, room), seed)
    else:
        picker = _DefectPicker(detector, min(MOST_OF_DEFECTS, room), inside)
    add_features(picker, prepared.plan, detector.feature_strides, outputs)
    return picker.picks()


@dataclass(slots=True)
class _Highest:
    """The patches [n,C] with the highest values [n] so far, at most `most`."""

    most: int
    patches: Tensor
    values: Tensor

    @classmethod
    def none(cls, most: int, channels: int) -> "_Highest":
        return cls(most, torch.empty(0, channels), torch.empty(0))

    def add(self, patches: Tensor, values: Tensor) -> None:
        highest = values.topk(min(self.most, len(values)))
        patches = torch.cat([self.patches, patches[highest.indices].float().cpu()])
        values = torch.cat([self.values, highest.values.float().cpu()])
        order = values.argsort(descending=True, stable=True)[: self.most]
        self.patches, self.values = patches[order], values[order]


def _distances(detector: PatchDetector, patches: Tensor) -> Tensor:
    """The distances [p] of patches [p,C], with as many at once as `measure` takes."""
    parts = torch.split(patches, detector.step_cells(patches.device))
    return torch.cat([detector.measure((each.T[None, :, :, None],), [(0, 0)]).distances[0].flatten() for each in parts])


class _HarmlessPicker:
    def __init__(self, detector: PatchDetector, most: int, seed: int) -> None:
        self._detector = detector
        self._generator = Generator().manual_seed(seed)
        self._farthest = _Highest.none(most, detector.embedding_size)
        self._usual = _Highest.none(most, detector.embedding_size)  # by random numbers

    def add(self, features: Features, top: int, left: int = 0) -> None:
        """See Fitter."""
        patches = features[0].flatten(1).T
        self._farthest.add(patches, _distances(self._detector, patches))
        self._usual.add(patches, torch.rand(len(patches), generator=self._generator).to(patches.device))

    def add_thumbnail(self, features: Features) -> None:
        """Passes over a thumbnail, whose distances a second stage does not change."""

    def picks(self) -> Picks:
        return Picks(self._farthest.patches[:0], self._farthest.patches, self._usual.patches)


class _DefectPicker:
    def __init__(self, detector: PatchDetector, most: int, inside: Tensor) -> None:
        self._detector, self._inside, self._cells = detector, inside, int(inside.sum())
        self._farthest = _Highest.none(most, detector.embedding_size)

    def add(self, features: Features, top: int, left: int = 0) -> None:
        """See Fitter."""
        height, width = features[0].shape[1:]
        own = self._inside[top : top + height, left : left + width].flatten()
        if own.any():
            patches = features[0].flatten(1).T[own.to(features[0].device)]
            self._farthest.add(patches, _distances(self._detector, patches))

    def add_thumbnail(self, features: Features) -> None:
        """Passes over a thumbnail, whose distances a second stage does not change."""

    def picks(self) -> Picks:
        found = self._farthest.patches[: (self._cells + 1) // 2]
        return Picks(found, found[:0], found[:0])

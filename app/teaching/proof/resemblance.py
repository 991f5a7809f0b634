"""Whether what people called harmless resembles what people called a defect.

Patches are compared as evidence compares them (`Detector.patches_at`). A harmless patch resembles a defect if it is
nearer to a confirmed defect of another picture than to every normal patch that the served version knows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.artifacts import Artifact
from app.pipeline import Grid, nearest, patches_of, prepare_part
from app.pipeline.assembly import completed
from app.reviews import ReviewLabel
from app.teaching.learning.areas import peak_place
from app.teaching.proof.pictures import KnownPicture
from app.teaching.proof.view import defects_of


@dataclass(frozen=True, slots=True)
class _Place:
    """A patch [1,C] of a picture at the peak of what was judged."""

    picture: KnownPicture
    patch: Tensor


class Resemblances:
    """Collects patches of reviewed pictures, and compares them."""

    def __init__(self, served: Artifact) -> None:
        self._model = served.model
        detector = served.model.detector
        self._normal = detector.normal_patches if served.evidence is None else served.evidence.of(detector)
        self._harmless: list[_Place] = []
        self._defects: list[_Place] = []

    @property
    def is_possible(self) -> bool:
        """Whether the served version knows normal patches."""
        return self._normal is not None

    def add(self, picture: KnownPicture, image: Tensor, anomaly_map: Tensor, anomalous: bool) -> None:
        """Takes a reviewed picture with its map of the served version [H,W], and whether that calls it anomalous."""
        review = picture.review
        if review is None or not self.is_possible:
            return
        harmless = [each.rings for each in review.regions if each.label is ReviewLabel.harmless]
        peaks = [peak_place(rings, anomaly_map) for rings in harmless]
        if review.label is ReviewLabel.harmless and anomalous and not peaks:
            peaks = [_peak(anomaly_map)]
        self._harmless += [_Place(picture, each) for each in self._patches(image, peaks)]
        if review.label is ReviewLabel.defect:
            areas = defects_of(review)
            peaks = [peak_place(rings, anomaly_map) for rings in areas] or [_peak(anomaly_map)]
            self._defects += [_Place(picture, each) for each in self._patches(image, peaks)]

    def found(self) -> list[tuple[KnownPicture, KnownPicture]]:
        """Each picture with a harmless patch that resembles a defect, with the picture of that defect."""
        if self._normal is None or not self._defects:
            return []
        defects = torch.cat([each.patch for each in self._defects])
        pairs: dict[str, tuple[KnownPicture, KnownPicture]] = {}
        for each in self._harmless:
            others = [number for number, other in enumerate(self._defects) if other.picture.id != each.picture.id]
            if not others:
                continue
            (normal,) = completed(nearest(each.patch, self._normal, 1))
            (defect,) = completed(nearest(each.patch, defects[others], 1))
            if defect.distance < normal.distance:
                pairs.setdefault(each.picture.id, (each.picture, self._defects[others[defect.number]].picture))
        return list(pairs.values())

    def _patches(self, image: Tensor, places: list[tuple[int, int]]) -> list[Tensor]:
        """The patches [1,C] at pixels of a picture."""
        found, grid = [], Grid.of(self._model, (image.shape[-2], image.shape[-1]))
        for place in places:
            cell = grid.cell(place)
            prepared = prepare_part(self._model, image, grid.tiles(cell))
            found.append(patches_of(self._model, prepared, self._model.outputs(prepared), torch.tensor([cell])))
        return found


def _peak(anomaly_map: Tensor) -> tuple[int, int]:
    row, column = divmod(int(anomaly_map.argmax()), anomaly_map.shape[1])
    return row, column

"""Features of all tiles of a data set, computed once per backbone and read by all detectors with that backbone.

The features of thumbnails are files of their own, so that they can be added to those of an earlier run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from app.data import MVTec, decoded
from app.data.unreadable import UnreadablePolicy
from app.detectors import Features
from app.pipeline import TiledModel
from app.pipeline.model import Prepared

STOP = UnreadablePolicy("stop", lambda path, reason: None)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture without its pixels, the features of its tiles [n,C,h,w] each, and of its thumbnail [1,C,h,w] each."""

    path: Path
    kind: str
    mask: Path | None
    prepared: Prepared
    features: Features
    thumbnail: Features

    def outputs(self, thumbnail: bool) -> tuple[Prepared, list[Features]]:
        """What a model with or without a thumbnail makes of the picture."""
        if thumbnail:
            return self.prepared, [self.features, self.thumbnail]
        return replace(self.prepared, plan=replace(self.prepared.plan, thumbnail=None)), [self.features]

    @property
    def anomalous(self) -> bool:
        return self.mask is not None


@dataclass(frozen=True, slots=True)
class DataSet:
    """The normal pictures to draw from, and the test pictures."""

    pool: Sequence[Picture]
    tests: Sequence[Picture]


def load(root: Path, category: str, model: TiledModel, cache: Path) -> DataSet:
    """Computes the features of a data set in MVTec AD's layout, or reads those of an earlier run in `cache`.

    `model` is one with a thumbnail.
    """
    data = MVTec(str(root), category)
    normal = [(path, "good", None) for path in data.train_pictures()]
    tests = [(each.path, each.kind, each.mask if each.anomalous else None) for each in data.test_pictures()]
    cache.mkdir(parents=True, exist_ok=True)
    found = list(_pictures([*normal, *tests], model, cache))
    return DataSet(found[: len(normal)], found[len(normal) :])


@torch.inference_mode()
def _pictures(listed: Sequence[tuple[Path, str, Path | None]], model: TiledModel, cache: Path) -> Iterator[Picture]:
    pixels = decoded([path for path, _, _ in listed], 0, STOP)
    for number, ((path, kind, mask), image) in enumerate(zip(listed, pixels, strict=True)):
        prepared = model.prepare(image)
        plan, blank = prepared.plan, replace(prepared, pixels=torch.empty(0))
        tiles, thumbnail = (
            _cached(cache / f"{number:05d}{end}.npy", model, prepared, indices)
            for end, indices in (("", range(plan.in_grid)), ("-thumbnail", range(plan.in_grid, plan.count)))
        )
        yield Picture(path, kind, mask, blank, (tiles,), (thumbnail,))


def _cached(file: Path, model: TiledModel, prepared: Prepared, indices: range) -> Tensor:
    """The features of these tiles."""
    if not file.exists():
        batches = (indices[first : first + model.batch_tiles] for first in range(0, len(indices), model.batch_tiles))
        (features,) = zip(*(model.run(model.cut(prepared, batch)) for batch in batches), strict=True)
        _save(file, torch.cat(features))
    return _load(file)


def _save(file: Path, features: Tensor) -> None:
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        np.save(stream, features.contiguous().numpy())
    part.rename(file)


def _load(file: Path) -> Tensor:
    return torch.from_numpy(np.load(file, mmap_mode="c"))

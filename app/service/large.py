"""Predicts pictures that do not fit into memory, in bands, and draws them: the map lies in a file meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.artifacts import Artifact
from app.pipeline import DefectRegion, Question, Roi, RowSource, Scan, judge
from app.pipeline.prediction import defect_region
from app.progress import Progress
from app.rendering import outline_rows, overlay
from app.rendering.pyramid import PyramidWriter
from app.scoring import Region, RegionFinder, RegionMask
from app.service.predicted import Judged
from app.tiling import Size

WHITE_16 = 65535

Found = Callable[[Sequence[DefectRegion]], None]
"""Takes regions that no later row can change."""


class MapSpool:
    """A map [H,W] float32 in a file, written and read in the same bands of rows. Raises OSError."""

    def __init__(self, path: Path, width: int) -> None:
        self._path, self._width = path, width
        self._heights: list[int] = []
        path.touch()

    def add(self, rows: NDArray[np.float32]) -> None:
        """Writes the next rows [n,W]."""
        with self._path.open("ab") as file:
            rows.tofile(file)
        self._heights.append(len(rows))

    def bands(self) -> Iterator[NDArray[np.float32]]:
        """All rows, in the bands in which they were written."""
        with self._path.open("rb") as file:
            for height in self._heights:
                yield np.fromfile(file, np.float32, height * self._width).reshape(height, self._width)


@dataclass(frozen=True, slots=True)
class Large:
    """A large picture that was predicted: its judgement, its map, and the mask of its regions."""

    judged: Judged
    spool: MapSpool
    mask: RegionMask


@dataclass(frozen=True, slots=True)
class Pyramids:
    """The files that are drawn of a large picture, each with the size of the picture or of its region of interest.

    overlay: the picture with its anomalies in colour, and frames around the defect regions
    mask: 255 inside the defect regions, 0 elsewhere
    map: round(65535 * value) of the normalised map
    """

    overlay: Path
    mask: Path
    map: Path

    @property
    def all(self) -> tuple[Path, ...]:
        """All of them."""
        return self.overlay, self.mask, self.map


def predict_large(
    artifact: Artifact,
    source: RowSource,
    question: Question,
    spool: Path,
    report: Progress,
    found: Found = lambda regions: None,
) -> Large:
    """Predicts a picture band by band, and writes its map to the file `spool`.

    `found` is called after each band with the regions that became final, each once; not with those that the last row
    ends. Raises InvalidRegion, NotFinite, the errors of the source, and OSError if the spool cannot be written.
    """
    calibration, criteria, size = artifact.calibration, question.criteria, source.size
    threshold = calibration.raw_value(criteria.threshold)
    finder = RegionFinder(threshold, criteria.min_region_area)
    mask = RegionMask(threshold, criteria.min_region_area)
    shown = question.roi or Roi.whole(size)
    scan, written = Scan(artifact.model, source, question.roi), MapSpool(spool, shown.width)
    steps, final = scan.run(), list[Region]()
    while True:
        try:
            band = next(steps)
        except StopIteration as end:
            raw_score: float = end.value
            break
        values = band.values.numpy()
        finder.add(values)
        if closed := finder.final():
            final += closed
            found([defect_region(each, calibration, question) for each in closed])
        if mask.comes_twice:
            mask.add(values)
        written.add(values)
        report("rows", band.top + len(values), shown.height)
    final += finder.finish()
    final.sort(key=lambda region: (-region.peak_value, region.top, region.left))
    judgement = judge(raw_score, final, calibration, question)
    return Large(Judged(artifact, size, scan.plan, judgement, question), written, mask)


def draw(large: Large, source: RowSource, files: Pyramids, description: str, report: Progress) -> None:
    """Writes the pyramids, whose rows are made again of the map and of the picture, which is read from its start."""
    judged, calibration = large.judged, large.judged.artifact.calibration
    shown = judged.question.roi or Roi.whole(judged.size)
    boxes = np.array(
        [(each.top - shown.top, each.left - shown.left, each.height, each.width) for each in judged.judgement.regions]
    ).reshape(-1, 4)
    size, top = (shown.height, shown.width), 0
    source.restart()
    _pass_over(source, shown.top)
    with (
        PyramidWriter(files.overlay, *size, channels=3, description=description) as overlays,
        PyramidWriter(files.mask, *size, description=description) as masks,
        PyramidWriter(files.map, *size, bits=16, description=description) as maps,
    ):
        for values in large.spool.bands():
            pixels = source.read(len(values))[:, :, shown.left : shown.left + shown.width]
            normalised = calibration.normalise_map(torch.from_numpy(values))
            overlays.write(_overlay(pixels, normalised, boxes, top, size).permute(1, 2, 0).numpy())
            masks.write(large.mask.rows(values).astype(np.uint8) * np.uint8(255))
            maps.write(np.rint(normalised.double().numpy() * WHITE_16).astype(np.uint16))
            top += len(values)
            report("drawing", top, shown.height)


def _overlay(pixels: Tensor, normalised: Tensor, boxes: NDArray[np.int64], top: int, size: Size) -> Tensor:
    painted = overlay(pixels, normalised)
    outline_rows(painted, map(tuple, boxes.tolist()), top, size)
    return painted


def _pass_over(source: RowSource, rows: int, step: int = 256) -> None:
    for first in range(0, rows, step):
        source.read(min(step, rows - first))

"""Predicts pictures that do not fit into memory, in bands, and draws them: the map lies in a file meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.artifacts import Artifact
from app.files import flush
from app.pipeline import (
    Band,
    BandOutcome,
    DefectRegion,
    Question,
    Roi,
    RowSource,
    Runner,
    Scan,
    judge,
    read_checkpoint,
    run_band,
    use_processors,
)
from app.pipeline.prediction import defect_region, in_zones, with_zones
from app.progress import Progress
from app.rendering import RegionMarks, marked_bands, overlay
from app.rendering.pyramid import PyramidWriter
from app.scoring import Region, RegionFinder, region_masks
from app.service.pictures import marked_region
from app.service.predicted import Judged

WHITE_16 = 65535
VALUE_BYTES = 4
READ_VALUES = 2**22
"""The number of values of a map that are read at once, but at least one row."""

MAP, CHECKPOINT = "map", "checkpoint"
"""The files in the folder of a prediction."""

Found = Callable[[Sequence[DefectRegion]], None]
"""Takes regions that no later row can change."""


class MapSpool:
    """A map [H,W] float32 in a file, written and read in rows from top to bottom. Raises OSError."""

    def __init__(self, path: Path, width: int, rows: int = 0) -> None:
        """Begins a file, or goes on with the first `rows` of one."""
        self._path, self._width = path, width
        with path.open("ab") as file:
            file.truncate(rows * width * VALUE_BYTES)

    def add(self, rows: NDArray[np.float32]) -> None:
        """Writes the next rows [n,W]."""
        with self._path.open("ab") as file:
            rows.tofile(file)

    def bands(self) -> Iterator[NDArray[np.float32]]:
        """All rows, some at a time."""
        step = max(1, READ_VALUES // self._width)
        with self._path.open("rb") as file:
            while len(values := np.fromfile(file, np.float32, step * self._width)):
                yield values.reshape(-1, self._width)


@dataclass(frozen=True, slots=True)
class Large:
    """A large picture that was predicted: its judgement, and its map."""

    judged: Judged
    spool: MapSpool


@dataclass(frozen=True, slots=True)
class Pyramids:
    """The files that are drawn of a large picture, each with the size of the picture or of its region of interest.

    overlay: the picture with its anomalies in colour, and with marked defect regions, see RegionMarks
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
    folder: Path,
    report: Progress,
    found: Found = lambda regions: None,
    runner: Runner | None = None,
) -> Large:
    """Predicts a picture band by band, and writes its map into `folder`.

    `found` is called after each band with the regions that became final, each once; not with those that the last row
    ends. `runner` computes the bands; by default a thread does. With one, the folder also gets a checkpoint after each
    band: a prediction that was interrupted goes on after its last complete band if it is called again with the same
    folder, picture and model, and calls `found` again with the regions up to there. Raises InvalidRegion, NotFinite,
    the errors of the source and of `runner`, and OSError if the folder cannot be written.
    """
    if runner is None:
        with ThreadPoolExecutor(
            1, "tessera-bands", initializer=partial(use_processors, torch.get_num_threads())
        ) as thread:
            own = Runner(partial(_submitted, thread, artifact))
            return _predict(artifact, source, question, folder, report, found, own, resumable=False)
    return _predict(artifact, source, question, folder, report, found, runner, resumable=True)


def _submitted(thread: ThreadPoolExecutor, artifact: Artifact, band: Band) -> Callable[[], BandOutcome]:
    return thread.submit(run_band, artifact.model, band).result


def _predict(
    artifact: Artifact,
    source: RowSource,
    question: Question,
    folder: Path,
    report: Progress,
    found: Found,
    runner: Runner,
    *,
    resumable: bool,
) -> Large:
    calibration, criteria, size = artifact.calibration, question.criteria, source.size
    threshold, zones = calibration.raw_value(criteria.threshold), artifact.model.zones
    finder = RegionFinder(threshold, criteria.min_region_area)
    shown, final, done = question.roi or Roi.whole(size), list[Region](), 0
    scan = Scan(artifact.model, source, question.roi, runner.division)
    checkpoint = read_checkpoint(folder / CHECKPOINT) if resumable else None
    if checkpoint is not None and not scan.goes_on_from(checkpoint):  # the picture was divided otherwise then
        checkpoint = None
    spool = MapSpool(folder / MAP, shown.width, 0 if checkpoint is None else checkpoint.rows)

    def take(values: NDArray[np.float32]) -> None:
        nonlocal done
        finder.add(values)
        if closed := finder.final():
            final.extend(closed)
            found(in_zones([defect_region(each, calibration, question) for each in closed], zones, size))
        done += len(values)
        report("rows", done, shown.height)

    for values in spool.bands():
        take(values)
    steps = scan.run(runner.run, checkpoint)
    while True:
        try:
            band = next(steps)
        except StopIteration as end:
            raw_score: float = end.value
            break
        values = band.values.numpy()
        spool.add(values)
        if resumable and band.checkpoint is not None:
            flush(folder / MAP)  # before the checkpoint that relies on it
            band.checkpoint.write(folder / CHECKPOINT)
        take(values)
    final += finder.finish()
    final.sort(key=lambda region: (-region.peak_value, region.top, region.left))
    judgement = with_zones(judge(raw_score, final, calibration, question), zones, size)
    return Large(Judged(artifact, size, scan.plan, judgement, question), spool)


def draw(large: Large, source: RowSource, files: Pyramids, description: str, report: Progress) -> None:
    """Writes the pyramids, whose rows are made again of the map and of the picture, which is read from its start."""
    judged, calibration, criteria = large.judged, large.judged.artifact.calibration, large.judged.question.criteria
    threshold = calibration.raw_value(criteria.threshold)
    shown = judged.question.roi or Roi.whole(judged.size)
    size = shown.height, shown.width
    marks = RegionMarks([marked_region(each, shown) for each in judged.judgement.regions], size)
    source.restart()
    _pass_over(source, shown.top)
    with (
        PyramidWriter(files.overlay, *size, channels=3, description=description) as overlays,
        PyramidWriter(files.mask, *size, description=description) as masks,
        PyramidWriter(files.map, *size, bits=16, description=description) as maps,
    ):

        def painted() -> Iterator[tuple[Tensor, Tensor]]:
            """The bands of the overlay without marks, and their masks. Writes the other two pyramids."""
            found = region_masks(large.spool.bands, threshold, criteria.min_region_area)
            for values, mask in zip(large.spool.bands(), found, strict=True):
                pixels = source.read(len(values))[:, :, shown.left : shown.left + shown.width]
                normalised = calibration.normalise_map(torch.from_numpy(values))
                masks.write(mask.astype(np.uint8) * np.uint8(255))
                maps.write(np.rint(normalised.double().numpy() * WHITE_16).astype(np.uint16))
                rows = overlay(pixels, normalised, threshold=judged.judgement.criteria.threshold)
                yield rows, torch.from_numpy(mask)

        done = 0
        for rows in marked_bands(painted(), marks):
            overlays.write(rows.permute(1, 2, 0).numpy())
            done += rows.shape[1]
            report("drawing", done, shown.height)


def _pass_over(source: RowSource, rows: int, step: int = 256) -> None:
    for first in range(0, rows, step):
        source.read(min(step, rows - first))

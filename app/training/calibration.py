"""How thresholds are found: on pictures that the detector was not fitted to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from app.detectors import Progress, silent
from app.errors import InvalidDataset
from app.pipeline import TiledModel, predict
from app.scoring import Calibration, calibrate_on_normal


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Calibration on a share of the normal pictures, which are not trained on, and a rate of false alarms to aim at."""

    share: float = 0.2
    false_positive_rate: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InvalidDataset(f"calibration.share is {self.share}; use more than 0 and less than 1")
        if not 0 < self.false_positive_rate < 1:
            raise InvalidDataset(
                f"calibration.false_positive_rate is {self.false_positive_rate}; use more than 0 and less than 1"
            )

    def split(self, paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
        """Pictures to fit to and pictures to calibrate on, the latter spread evenly; a single picture is both."""
        if len(paths) == 1:
            return list(paths), list(paths)
        held = max(1, round(len(paths) * self.share))
        chosen = {round((number + 0.5) * len(paths) / held - 0.5) for number in range(held)}
        return (
            [path for number, path in enumerate(paths) if number not in chosen],
            [path for number, path in enumerate(paths) if number in chosen],
        )


def calibrate(
    model: TiledModel,
    pictures: Iterable[Tensor],
    count: int,
    false_positive_rate: float,
    batch_tiles: int,
    progress: Progress = silent,
) -> Calibration:
    """Thresholds by `count` normal pictures [C,H,W] that the model was not fitted to."""
    scores, peaks = [], []
    for number, picture in enumerate(pictures, start=1):
        outcome = predict(model, picture, batch_tiles)
        scores.append(outcome.raw_score)
        peaks.append(float(outcome.anomaly_map.max()))
        progress("calibration", number, count)
    return calibrate_on_normal(scores, peaks, false_positive_rate)

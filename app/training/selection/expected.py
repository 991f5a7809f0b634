"""What the choice of a detector, and the training after it, are expected to take."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.detectors import Forecast, Fusion, Patchcore
from app.training.assessment import pictures_assessed
from app.training.forecast import Ahead, expect_training
from app.training.monitor import timed
from app.training.plan import Job
from app.training.selection.sharing import Made
from app.training.selection.trial import Trial, cells_of, is_sampled
from app.training.selection.trial_defects import DEFECTS
from app.training.time_left import TimeLeft
from app.trials import Timer

REGION_TILES = 2.5  # of a region around a defect, on average
SCORE_S = 0.01  # the time to score a picture with a defect by one group of candidates


@dataclass(frozen=True, slots=True)
class Work:
    """The pictures of a choice, and the training that follows if nothing speaks against the first candidate.

    first: the first candidate, as it would be trained
    job: its training
    assessed: whether that ends with an assessment
    """

    measured: int
    first: Made
    job: Job
    assessed: bool


@torch.inference_mode()
def expect(left: TimeLeft, trial: Trial, picture: Tensor, work: Work, timer: Timer = timed) -> None:
    """Announces the time, from the pictures that were fitted to so far and one more run of the last of them."""
    pace_s = left.pace_s
    if pace_s is None:
        return
    fits_s, measure_s = _fits(trial, picture, timer)
    tiles = trial.groups[0].model.plan(*picture.shape[-2:]).count
    region_s = pace_s * min(1.0, REGION_TILES / tiles) + SCORE_S * len(trial.groups)
    left.expect("fits", fits_s)
    left.expect("trial defects", work.measured * (pace_s + measure_s) + DEFECTS * region_s)
    network_s = trial.network_s(work.first.candidate)
    left.expect("pictures", len(work.job.fit) * network_s)
    fitter = work.first.detector.fitter(len(work.job.fit), work.job.grid)
    group = trial.group_of(work.first.candidate)
    for rows, place in trial.rows(group, picture):
        fitter.add(rows, *place)
    forecast = fitter.forecast(timer)
    if forecast is not None:
        assessed = pictures_assessed(group.model, work.job.sizes) if work.assessed else 0.0
        expect_training(left, forecast, network_s, Ahead(len(work.job.calibrate), 0.0, assessed))
    left.announce()


def _fits(trial: Trial, picture: Tensor, timer: Timer) -> tuple[float, float]:
    """The seconds to finish all fits, and in which all groups measure a picture without the network.

    One group with a memory bank is tried. Others with a memory bank are taken to be alike.
    """
    fits_s = measure_s = 0.0
    tried: Forecast | None = None
    for group, fitter in trial.fitters.items():
        has_bank = isinstance(group.detector, (Patchcore, Fusion))
        found = tried if tried is not None and has_bank else fitter.forecast(timer)
        if found is None:
            continue
        if has_bank:
            tried = found
        cells = cells_of(group, group.model.plan(*picture.shape[-2:]))
        fits_s += sum(found.finish_s.values())
        measure_s += found.measure_s * (cells / trial.sampled if is_sampled(group) else 1.0)
    return fits_s, measure_s

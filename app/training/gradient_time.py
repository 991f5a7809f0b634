"""Estimates the time of a training by gradient descent before its first step."""

import torch
from torch import Tensor

from app.data import Loader
from app.detectors import GradientDetector
from app.pipeline import TiledModel
from app.training.backpropagation import untouched_statistics
from app.training.gradient import Schedule
from app.training.monitor import timed
from app.training.plan import Job
from app.training.precision import autocast
from app.training.time_left import TimeLeft
from app.trials import Timer

TRIAL_TILES = 4
FORWARD_SHARE = 0.5
"""The share of a step that the networks take without gradients: a frozen network, and one that learns, whose backward
pass takes twice as long as its forward pass.
"""
AGAIN = 4 / 3  # of the time of a step: a picture with too many tiles for one batch runs through the networks twice


def expect_gradient(
    model: TiledModel, pictures: Loader, job: Job, schedule: Schedule, left: TimeLeft, timer: Timer = timed
) -> None:
    """Announces the time of the training, from steps with a few tiles of the first picture. Changes no weights."""
    picture = next(pictures.epoch([0]), None)
    if picture is None:
        return
    tile_s = _seconds_a_tile(model, picture, schedule, timer)
    tiles = _mean_tiles(model, job)
    again = AGAIN if tiles > schedule.batch_tiles else 1.0
    normal = sum(not each.anomalous for each in job.calibrate)
    validations = -(-schedule.max_epochs // schedule.validate_every)
    step_pictures = again * len(job.fit) * schedule.max_epochs
    forward_pictures = validations * (normal + len(job.labelled))
    left.expect("training", tile_s * tiles * (step_pictures + FORWARD_SHARE * forward_pictures))
    left.expect("calibration", tile_s * tiles * FORWARD_SHARE * len(job.calibrate))
    left.announce("at most " if schedule.early_stopping else "")


def _seconds_a_tile(model: TiledModel, picture: Tensor, schedule: Schedule, timer: Timer) -> float:
    detector = model.detector
    assert isinstance(detector, GradientDetector)
    prepared = model.prepare(picture)
    tiles = model.cut(prepared, range(min(prepared.plan.count, TRIAL_TILES)))
    context = autocast(schedule.precision, model.device)

    def step() -> None:
        with context():
            targets = detector.targets(tiles)
            predictions = detector.predictions(tiles, targets)
        pairs = [
            [tuple(each[number].float() for each in side) for side in (targets, predictions)]
            for number in range(len(tiles))
        ]
        torch.stack([detector.loss(*pair) for pair in pairs]).sum().backward()  # type: ignore[no-untyped-call]  # torch's
        if tiles.is_cuda:
            torch.cuda.synchronize(tiles.device)

    detector.train()
    with untouched_statistics(detector.learners):
        step()  # the first run is slower: kernels are chosen, memory is allocated
        seconds = timer(step)
    detector.eval()
    for network in detector.learners:
        network.zero_grad(set_to_none=True)
    return seconds / len(tiles)


def _mean_tiles(model: TiledModel, job: Job) -> float:
    """The mean number of tiles of a picture."""
    return sum(count * model.plan(*size).count for size, count in job.sizes.items()) / sum(job.sizes.values())

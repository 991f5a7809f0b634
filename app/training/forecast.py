"""What the stages of a training in one pass are expected to take."""

from dataclasses import dataclass

from app.detectors import Forecast
from app.training.precision_margin import PICTURES as MARGIN_PICTURES
from app.training.time_left import TimeLeft

ROUNDED = 4.0
"""The time of a network whose outputs are rounded, as a multiple of the fused network's; a rough value."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What follows after the fit.

    calibrated: the number of pictures that are measured to calibrate
    run_again: the share of them whose features the network computes again
    assessed: the time of the assessment by synthetic defects, as a number of whole pictures
    at_once: the number of pictures that are measured at once to calibrate, each in the time that the forecast gives
    """

    calibrated: int
    run_again: float
    assessed: float
    at_once: int = 1


def expect_training(left: TimeLeft, forecast: Forecast, network_s: float, ahead: Ahead) -> None:
    """Sets the times of all stages after the fitter has got its pictures. `network_s` is the network's a picture."""
    for stage, seconds in forecast.finish_s.items():
        left.expect(stage, seconds)
    left.expect("calibration", ahead.calibrated * (network_s * ahead.run_again + forecast.measure_s / ahead.at_once))
    margin_pictures = min(MARGIN_PICTURES, ahead.calibrated)
    left.expect("margins", margin_pictures * ((1 + ROUNDED) * network_s + 2 * forecast.measure_s))
    if ahead.assessed:
        left.expect("defects", ahead.assessed * (network_s + forecast.measure_s))

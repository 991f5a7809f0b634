"""Makes anomaly maps from distances, finds regions, calibrates thresholds, and computes metrics of labelled values."""

from app.scoring.anomaly_map import (
    BLUR_SIGMA,
    Extent,
    Grid,
    MapRule,
    cells_of_map,
    fill_map,
    fill_resized,
    pixels_of_resized,
)
from app.scoring.calibration import (
    Calibration,
    calibrate_as_reference,
    calibrate_on_normal,
    calibration_at,
    clear_threshold,
    f1_threshold,
    just_below,
    normal_threshold,
)
from app.scoring.confusion import Confusion
from app.scoring.gumbel import confidence_limits
from app.scoring.image_score import ScoreRule, mean_of_highest
from app.scoring.merging import Runs, merge
from app.scoring.metrics import auroc
from app.scoring.order_keys import to_keys, to_values
from app.scoring.ranking import AUPRO_LIMITS, BestF1, Ranking, rank
from app.scoring.recall import recall_threshold
from app.scoring.regions import Region, find_regions, over_threshold
from app.scoring.shares import share_interval
from app.scoring.steps import Steps, Totals, steps_of, totals_of

__all__ = [
    "AUPRO_LIMITS",
    "BLUR_SIGMA",
    "BestF1",
    "Calibration",
    "Confusion",
    "Extent",
    "Grid",
    "MapRule",
    "Ranking",
    "Region",
    "Runs",
    "ScoreRule",
    "Steps",
    "Totals",
    "auroc",
    "calibrate_as_reference",
    "calibrate_on_normal",
    "calibration_at",
    "cells_of_map",
    "clear_threshold",
    "confidence_limits",
    "f1_threshold",
    "fill_map",
    "fill_resized",
    "find_regions",
    "just_below",
    "mean_of_highest",
    "merge",
    "normal_threshold",
    "over_threshold",
    "pixels_of_resized",
    "rank",
    "recall_threshold",
    "share_interval",
    "steps_of",
    "to_keys",
    "to_values",
    "totals_of",
]

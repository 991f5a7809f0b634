"""Makes anomaly maps from distances, finds regions, calibrates thresholds, and computes metrics of labelled values."""

from app.scoring.anomaly_map import (
    BLUR_SIGMA,
    Extent,
    Grid,
    MapRule,
    cells_of_map,
    fill_map,
    fill_resized,
    pixels_of_cells,
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
from app.scoring.delong import AurocDifference, delong
from app.scoring.detection import Detection, Tried, fit_detection, place_factors
from app.scoring.gumbel import confidence_limits
from app.scoring.high_level import HighLevel
from app.scoring.image_score import Largest, MapScore, MeanOfHighest, ScoreRule, mean_of_highest
from app.scoring.interpolation import gaussian
from app.scoring.merging import Runs, merge
from app.scoring.metrics import auroc
from app.scoring.order_keys import to_keys, to_values
from app.scoring.outlines import Outline, Polygon, Ring, Tracer, too_many_points
from app.scoring.paired import difference_interval, log_evidence, mcnemar
from app.scoring.ranking import AUPRO_LIMITS, BestF1, Ranking, rank
from app.scoring.recall import recall_threshold
from app.scoring.regions import (
    OutlinedRegion,
    Region,
    RegionFinder,
    find_regions,
    outlined_regions,
    over_threshold,
    region_areas,
    region_masks,
)
from app.scoring.resampling import (
    RESAMPLES,
    SEED,
    percentiles,
    resamples,
    weighted_aupro,
    weighted_confusion,
    weighted_ranking,
    weighted_steps,
)
from app.scoring.shares import LEVEL, Interval, share_bound, share_interval, share_intervals
from app.scoring.steps import Steps, Totals, steps_of, totals_of

__all__ = [
    "AUPRO_LIMITS",
    "BLUR_SIGMA",
    "LEVEL",
    "RESAMPLES",
    "SEED",
    "AurocDifference",
    "BestF1",
    "Calibration",
    "Confusion",
    "Detection",
    "Extent",
    "Grid",
    "HighLevel",
    "Interval",
    "Largest",
    "MapRule",
    "MapScore",
    "MeanOfHighest",
    "Outline",
    "OutlinedRegion",
    "Polygon",
    "Ranking",
    "Region",
    "RegionFinder",
    "Ring",
    "Runs",
    "ScoreRule",
    "Steps",
    "Totals",
    "Tracer",
    "Tried",
    "auroc",
    "calibrate_as_reference",
    "calibrate_on_normal",
    "calibration_at",
    "cells_of_map",
    "clear_threshold",
    "confidence_limits",
    "delong",
    "difference_interval",
    "f1_threshold",
    "fill_map",
    "fill_resized",
    "find_regions",
    "fit_detection",
    "gaussian",
    "just_below",
    "log_evidence",
    "mcnemar",
    "mean_of_highest",
    "merge",
    "normal_threshold",
    "outlined_regions",
    "over_threshold",
    "percentiles",
    "pixels_of_cells",
    "pixels_of_resized",
    "place_factors",
    "rank",
    "recall_threshold",
    "region_areas",
    "region_masks",
    "resamples",
    "share_bound",
    "share_interval",
    "share_intervals",
    "steps_of",
    "to_keys",
    "to_values",
    "too_many_points",
    "totals_of",
    "weighted_aupro",
    "weighted_confusion",
    "weighted_ranking",
    "weighted_steps",
]

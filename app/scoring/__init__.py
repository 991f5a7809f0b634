"""From distances to maps, scores, labels and regions."""

from app.scoring.anomaly_map import Grid, MapRule, anomaly_map, resize_map
from app.scoring.blur import gaussian_blur
from app.scoring.calibration import Calibration, calibrate_on_normal
from app.scoring.metrics import auroc
from app.scoring.regions import Region, find_regions

__all__ = [
    "Calibration",
    "Grid",
    "MapRule",
    "Region",
    "anomaly_map",
    "auroc",
    "calibrate_on_normal",
    "find_regions",
    "gaussian_blur",
    "resize_map",
]

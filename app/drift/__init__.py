"""Whether the camera is still the same: statistics of pictures, and a sequential test against those of the training."""

from app.drift.appearance import WHOLE, Appearance, appearance, grid_of, map_levels, position_names
from app.drift.baseline import LEAST_PICTURES, MOST_EDGES, MOST_PICTURES, MOST_POSITIONS, Baseline, Stream, baseline_of
from app.drift.causes import Change, position_of
from app.drift.evidence import MEAN_PICTURES, Evidence
from app.drift.monitor import CameraChanged, Health, Monitor, State

__all__ = [
    "LEAST_PICTURES",
    "MEAN_PICTURES",
    "MOST_EDGES",
    "MOST_PICTURES",
    "MOST_POSITIONS",
    "WHOLE",
    "Appearance",
    "Baseline",
    "CameraChanged",
    "Change",
    "Evidence",
    "Health",
    "Monitor",
    "State",
    "Stream",
    "appearance",
    "baseline_of",
    "grid_of",
    "map_levels",
    "position_names",
    "position_of",
]

"""First models: trainings by requests, each in a process of its own."""

from app.trainings.limits import TrainingLimits
from app.trainings.training import ENDED, Training, TrainingState
from app.trainings.trainings import FEWEST_PICTURES, Sent, Trainings

__all__ = ["ENDED", "FEWEST_PICTURES", "Sent", "Training", "TrainingLimits", "TrainingState", "Trainings"]

"""First models and teachings by requests, each in a process of its own."""

from app.trainings.limits import TrainingLimits
from app.trainings.teaching import Teaching, TeachingDecision, TeachingState
from app.trainings.teachings import PicturesPlace, Teachings
from app.trainings.training import ENDED, Training, TrainingState
from app.trainings.trainings import FEWEST_PICTURES, Sent, Trainings

__all__ = [
    "ENDED",
    "FEWEST_PICTURES",
    "PicturesPlace",
    "Sent",
    "Teaching",
    "TeachingDecision",
    "TeachingState",
    "Teachings",
    "Training",
    "TrainingLimits",
    "TrainingState",
    "Trainings",
]

"""First models and teachings by requests, each in a process of its own."""

from app.trainings.limits import TrainingLimits
from app.trainings.run import Run
from app.trainings.runs import Runs
from app.trainings.storing import Sent
from app.trainings.teaching import Teaching, TeachingDecision, TeachingState
from app.trainings.teachings import PicturesPlace, Teachings
from app.trainings.training import Training, TrainingState
from app.trainings.trainings import FEWEST_PICTURES, Trainings

__all__ = [
    "FEWEST_PICTURES",
    "PicturesPlace",
    "Run",
    "Runs",
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

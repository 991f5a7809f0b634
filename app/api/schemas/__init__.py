"""The bodies of requests and responses."""

from app.api.schemas.model import ModelBody, ModelListBody
from app.api.schemas.prediction import PredictionBody
from app.api.schemas.problem import ProblemBody

__all__ = ["ModelBody", "ModelListBody", "PredictionBody", "ProblemBody"]

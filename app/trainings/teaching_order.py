"""What the server asks of the process of a teaching. A module of its own: the server does not import trainings."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from app.store.kept import Bounds
from app.trainings.limits import TrainingLimits


@dataclass(frozen=True, slots=True)
class TeachingOrder:
    """What a process teaches: the model `name` of the repository `models`, by the kept pictures.

    folder: where the candidate is written
    pictures, database, bounds: those of the store, see PictureStore
    most_lost: the number of confirmed defects that a candidate may lose
    false_positive_rate: the rate that the thresholds aim at; None: that of the training
    second_stage: whether confirmed defects may add a second stage
    """

    folder: str
    name: str
    models: str
    pictures: str
    database: str
    bounds: Bounds
    most_lost: int
    limits: TrainingLimits
    false_positive_rate: float | None = None
    second_stage: bool = True

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Self:
        values: dict[str, Any] = json.loads(text)
        return cls(**values | {"bounds": Bounds(**values["bounds"]), "limits": TrainingLimits(**values["limits"])})

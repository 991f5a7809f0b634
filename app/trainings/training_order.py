"""What the server asks of the process of a training. A module of its own: the server does not import trainings."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from app.trainings.limits import TrainingLimits

PICTURES = "pictures"
"""The folder of the pictures in the folder of an order."""


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What a process trains: the pictures below PICTURES in `folder`, as the model `name`, within the limits."""

    folder: str
    name: str
    limits: TrainingLimits

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Self:
        values = json.loads(text)
        return cls(values["folder"], values["name"], TrainingLimits(**values["limits"]))

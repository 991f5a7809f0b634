"""The parameters that determine the outcome of a distillation."""

from dataclasses import dataclass

from app.errors import InvalidTraining


@dataclass(frozen=True, slots=True)
class DistillationRecipe:
    """The steps, pictures and learning rate of a distillation. Raises InvalidTraining.

    Args:
        steps: the number of steps of gradient descent
        batch_pictures: the number of pictures in a step
        picture_size: the edge of the pictures in pixels; a multiple of 16, at least 64
        learning_rate: the largest learning rate, reached after a warm-up
        joint_share: the share of the steps, at the end, in which layer2 and layer3 of the student get the student's own
            features as input; before, they get the teacher's
        seed: the seed of weights and pictures
        evaluate_every: the number of steps between two measurements of the student on held-out synthetic pictures
    """

    steps: int = 20_000
    batch_pictures: int = 32
    picture_size: int = 128
    learning_rate: float = 2e-3
    joint_share: float = 0.4
    seed: int = 0
    evaluate_every: int = 500

    def __post_init__(self) -> None:
        for name in ("steps", "batch_pictures", "evaluate_every"):
            if getattr(self, name) < 1:
                raise InvalidTraining(f"{name} is {getattr(self, name)}; use 1 or more")
        if self.picture_size < 64 or self.picture_size % 16:
            raise InvalidTraining(f"picture_size is {self.picture_size}; use a multiple of 16 of at least 64")
        if not 0 <= self.joint_share <= 1:
            raise InvalidTraining(f"joint_share is {self.joint_share}; use 0 to 1")
        if not self.learning_rate > 0:
            raise InvalidTraining(f"learning_rate is {self.learning_rate}; use more than 0")

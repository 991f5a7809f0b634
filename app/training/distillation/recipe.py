"""What decides the outcome of a distillation."""

from dataclasses import dataclass

from app.errors import InvalidTraining


@dataclass(frozen=True, slots=True)
class DistillationRecipe:
    """How long, and on what, to learn. Raises InvalidTraining.

    Args:
        steps: of gradient descent
        batch_pictures: made pictures in a step
        picture_size: edge of these pictures, in pixels; a multiple of 16, at least 64
        learning_rate: the largest, after a warm-up
        joint_share: the last share of the steps, in which the student builds on its own features, not on the teacher's
        seed: of weights and pictures
        evaluate_every: after how many steps the student is measured on held-out made pictures
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

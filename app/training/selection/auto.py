"""The choice of a detector, as the option `--model` takes it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from app.detectors import Detector
from app.errors import InvalidTraining
from app.progress import Progress
from app.training.plan import Recipe
from app.training.selection.candidates import CANDIDATES, Candidate
from app.training.selection.select import Selection, select


class Auto:
    """Chooses a detector by how well it finds synthetic defects in normal pictures that it was not fitted to.

    It is the first of the candidates that is not clearly worse than the best. Then trains that detector as if it had
    been named. Pictures of defects, and test pictures, are not used.

    Args:
        candidates: the names of the candidates to choose from; by default all
    """

    def __init__(self, candidates: Sequence[str] | None = None) -> None:
        known = [candidate.name for candidate in CANDIDATES]
        unknown = [name for name in candidates or () if name not in known]
        if unknown or candidates == []:
            raise InvalidTraining(f"candidates {'; '.join(unknown) or '(none)'} are not known; use {'; '.join(known)}")
        self._names = known if candidates is None else candidates

    def recipe(
        self, recipe: Callable[[Detector], Recipe], device: torch.device, seed: int, progress: Progress
    ) -> tuple[Recipe, Selection]:
        """The recipe of the detector that is chosen, which `recipe` makes of it; and how it was chosen. See select."""
        found = select(self.candidates, recipe, device, seed, progress)
        return replace(recipe(found.detector), candidates=found.tried), found

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates to choose from."""
        return tuple(each for each in CANDIDATES if each.name in self._names)

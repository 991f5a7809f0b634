"""The choice of a detector, as the option `--model` takes it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from app.detectors import Detector, with_thumbnail
from app.errors import InvalidTraining
from app.progress import Progress
from app.training.plan import Recipe
from app.training.selection.candidates import CANDIDATES, Candidate
from app.training.selection.select import Selection, select


class Auto:
    """Chooses a detector by how well it finds synthetic defects in normal pictures that it was not fitted to.

    It is the first of the candidates that is not clearly worse than the best. Then trains that detector as if it had
    been named, with a thumbnail of each picture if all pictures seem to show the same part in the same framing.
    Pictures of defects, and test pictures, are not used.

    Args:
        candidates: the names of the candidates to choose from; by default all
        thumbnail: whether the model may get a thumbnail of each picture; see tiling.thumbnail
    """

    def __init__(self, candidates: Sequence[str] | None = None, thumbnail: bool = True) -> None:
        known = [candidate.name for candidate in CANDIDATES]
        unknown = [name for name in candidates or () if name not in known]
        if unknown or candidates == []:
            raise InvalidTraining(f"candidates {'; '.join(unknown) or '(none)'} are not known; use {'; '.join(known)}")
        self._names, self._thumbnail = known if candidates is None else candidates, thumbnail

    def recipe(
        self, recipe: Callable[[Detector], Recipe], device: torch.device, seed: int, progress: Progress
    ) -> tuple[Recipe, Selection]:
        """The recipe of the detector that is chosen, which `recipe` makes of it; and how it was chosen. See select."""
        found = select(self.candidates, recipe, device, seed, progress, self._thumbnail)
        chosen = replace(recipe(found.detector), candidates=found.tried)
        if found.against_thumbnail is None:
            tiling = replace(chosen.tiling, thumbnail=True)
            chosen = replace(chosen, detector=with_thumbnail(chosen.detector, tiling), tiling=tiling)
        return chosen, found

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates to choose from."""
        return tuple(each for each in CANDIDATES if each.name in self._names)

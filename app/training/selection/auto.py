"""The choice of a detector, as the option `--model` takes it."""

from collections.abc import Sequence

from app.errors import InvalidTraining
from app.training.selection.candidates import CANDIDATES, Candidate


class Auto:
    """Chooses the detector that finds synthetic defects best in normal pictures that it was not fitted to.

    Then trains that detector as if it had been named. Pictures of defects, and test pictures, are not used.

    Args:
        candidates: the names of the candidates to choose from; by default all
    """

    def __init__(self, candidates: Sequence[str] | None = None) -> None:
        known = [candidate.name for candidate in CANDIDATES]
        unknown = [name for name in candidates or () if name not in known]
        if unknown or candidates == []:
            raise InvalidTraining(f"candidates {'; '.join(unknown) or '(none)'} are not known; use {'; '.join(known)}")
        self._names = known if candidates is None else candidates

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates to choose from."""
        return tuple(each for each in CANDIDATES if each.name in self._names)

"""What clients do with teachings: request, follow, cancel and remove them, and decide what becomes of the candidate."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Any

from app.artifacts import ModelRepository
from app.errors import InvalidTrainings, NothingToLearn, TeachingConflict, TeachingNotFound
from app.store.kept import Bounds, PictureQuery, PictureStore
from app.teaching.candidates import adopt_candidate
from app.teaching.proof import ProofResult, ServeRules
from app.trainings.deciding import RULES, carry_out, refusing
from app.trainings.limits import TrainingLimits
from app.trainings.records import RecordFolder
from app.trainings.runs import Reload, Runs
from app.trainings.teaching import Teaching, TeachingDecision, TeachingState, teaching_of
from app.trainings.teaching_order import TeachingOrder


@dataclass(frozen=True, slots=True)
class PicturesPlace:
    """Where the process of a teaching finds the kept pictures; see PictureStore."""

    folder: Path
    database: str
    bounds: Bounds


class Teachings(Runs[Teaching]):
    """The teachings of a server; see Runs. Each learns from reviewed pictures, and proves a candidate.

    The server pins the version that serves, and takes the candidate into the repository in one step. The candidate
    serves by a decision, or if it meets the rules.
    """

    kind, participle, module = "teaching", "taught", "app.trainings.teaching_process"
    advice = "raise it, or keep and review fewer pictures"
    interrupted = "the server ended during the teaching; teach again"
    not_found = TeachingNotFound

    def __init__(
        self,
        folder: Path,
        repository: ModelRepository,
        store: PictureStore,
        place: PicturesPlace,
        limits: TrainingLimits,
        reload: Reload,
        *,
        most_lost: int = 0,
        rules: ServeRules | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        """Raises InvalidTrainings if the folder, which no other server uses, cannot be used.

        store: the kept pictures, which the process opens by `place`
        reload: has the server load the versions of a model
        most_lost: the number of confirmed defects that a candidate may lose
        rules: None: a candidate serves by a decision only
        """
        self._store, self._place, self._limits = store, place, limits
        self._most_lost, self._rules = most_lost, rules
        try:
            super().__init__(RecordFolder(folder, teaching_of), repository, reload, clock)
        except OSError as error:
            raise InvalidTrainings(f"{folder} (trainings_dir) cannot be used: {error.strerror or error}") from error

    def create(self, model: str, false_positive_rate: float | None = None, second_stage: bool = True) -> Teaching:
        """Starts to teach a model, and returns the teaching; see TeachingOrder for the other arguments.

        Raises TeachingConflict if the repository does not say which version serves; NothingToLearn, TrainingBusy,
        PicturesDatabaseUnavailable or InsufficientStorage.
        """
        with refusing():
            self._repository.find(model)
        if not self._store.count(PictureQuery(model=model, reviewed=True)):
            raise NothingToLearn(f"no kept picture of {model!r} is reviewed; review some first")
        now = self._clock()
        return self._begin(
            Teaching(token_hex(8), model, now, now),
            prepare=lambda _: None,
            order=lambda folder: TeachingOrder(
                folder,
                model,
                str(self._repository.root),
                str(self._place.folder),
                self._place.database,
                self._place.bounds,
                self._most_lost,
                self._limits,
                false_positive_rate,
                second_stage,
            ),
        )

    def decide(self, id: str, decision: TeachingDecision, by: str, *, second_person: bool = False) -> Teaching:
        """Does with a candidate what a person says, and returns the teaching. The model must be reloaded then.

        by: the name of the API key, or of the program
        second_person: whether another person has looked at the doubtful reviews

        Raises TeachingNotFound, TeachingConflict or SecondPersonRequired.
        """
        with self._lock:
            teaching = self.get(id)
            state = carry_out(self._repository, teaching, decision, by, second_person)
            return self._change(teaching, state=state, by=by)

    def _is_needed(self, run: Teaching) -> bool:
        """Whether the candidate waits for a decision."""
        return run.state is TeachingState.proposed

    def _publish(self, run: Teaching, result: dict[str, Any]) -> None:
        teaching = replace(
            run,
            served=int(result["served"]),
            digest=str(result["digest"]),
            seconds=float(result["seconds"]),
            notes=tuple(map(str, result["notes"])),
            values=result["proof"],
        )
        proof = teaching.proof
        assert proof is not None  # it was given just now
        if proof.result is ProofResult.refused:
            self._change(teaching, state=TeachingState.refused)
            return
        entry = self._made(
            teaching,
            partial(adopt_candidate, repository=self._repository, served=proof.served, digest=teaching.digest),
        )
        teaching, loaded = replace(teaching, version=entry.version), self._loaded(entry)
        if loaded.problem:
            self._change(teaching, **loaded.problem)
            return
        unmet = () if self._rules is None else tuple(self._rules.unmet(proof))
        notes = (*teaching.notes, *(f"not served by the rules (teach_serve): {each}" for each in unmet))
        self._change(teaching, state=TeachingState.proposed, notes=notes)
        if self._rules is not None and not unmet:
            with suppress(TeachingConflict):  # a person was faster
                self.decide(teaching.id, TeachingDecision.promote, RULES)
                self._loaded(entry)

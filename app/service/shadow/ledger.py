"""The comparisons of candidates with served versions: reads which ones run, and writes what they have found."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Condition, RLock, Thread

from app.artifacts import (
    Artifact,
    Contender,
    Counts,
    Decision,
    ModelRepository,
    Tally,
    Trial,
    add_counts,
    read_counts,
    read_shadow,
    start_shadow,
    stop_shadow,
)
from app.errors import InvalidServing, ShadowRefused, TesseraError
from app.service.catalogue import ModelCatalogue
from app.service.shadow.status import ShadowState, ShadowStatus

FLUSH_S = 1.0
"""The least time between two writings of counts. A process that is killed loses the counts of this time."""
FINISH_S = 5.0
"""How long the end of the process waits for the last writing, for example on a file system that hangs."""

_log = logging.getLogger(__name__)


class ShadowLedger:
    """Knows the comparisons of the repository as of the last scan, and adds to their counts.

    A thread of its own reads and writes the files, so that a file system that hangs delays nothing else. Where the
    repository cannot be written, the counts stay in memory. Any thread may call every method; `status`, `begin` and
    `end` read files.
    """

    def __init__(self, repository: ModelRepository, catalogue: ModelCatalogue) -> None:
        self._repository, self._catalogue = repository, catalogue
        self._open: Mapping[str, Trial] = {}  # the comparisons that are not decided; replaced as a whole
        self._found: dict[str, tuple[Trial, Tally]] = {}  # what this process has found, by model
        self._pending: dict[str, tuple[Trial, Tally]] = {}  # what is not written yet, by model
        self._change, self._files = Condition(), RLock()
        self._due = self._stopped = False
        self._problems: dict[str, str] = {}  # by model, so that each is logged once
        self._thread = Thread(target=self._run, name="tessera-shadows", daemon=True)
        catalogue.scanned = self._rescan

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Writes the counts, and ends the thread."""
        with self._change:
            self._stopped = True
            self._change.notify()
        self._thread.join(FINISH_S)

    def trial(self, name: str) -> Trial | None:
        """The comparison of a model that is not decided; None: there is none."""
        return self._open.get(name)

    def candidate(self, name: str, trial: Trial) -> Artifact:
        """The candidate of a comparison; raises NotServed, or ShadowRefused if it does not run now."""
        served, candidate = self._catalogue.get(name), self._catalogue.get(name, trial.version)
        if served.digest != trial.served_digest:
            raise ShadowRefused(f"the comparison is with version {trial.served}, and version {served.version} serves")
        if candidate.digest != trial.digest:
            raise ShadowRefused(f"the files of version {trial.version} were replaced after the comparison began")
        return candidate

    def add(self, name: str, trial: Trial, found: Tally) -> None:
        """Adds to the counts, which are written soon. What belongs to a comparison that was replaced is dropped."""
        with self._change:
            for tallies in (self._found, self._pending):
                known, before = tallies.get(name, (trial, Tally()))
                if known.started > trial.started:
                    return
                tallies[name] = trial, found if known.started < trial.started else before.plus(found)
            self._change.notify()

    def found(self) -> Iterator[tuple[str, int, Tally]]:
        """Yields for each model the candidate, and what this process has found in the latest comparison."""
        with self._change:
            found = dict(self._found)
        for name, (trial, tally) in found.items():
            yield name, trial.version, tally

    def status(self, name: str) -> ShadowStatus | None:
        """The latest comparison of a model; None: there was none.

        Raises ModelNotFound, ModelLoading, or ShadowRefused if the files cannot be used.
        """
        name = self._catalogue.model(name).name
        with _refusing(), self._files:
            trial = read_shadow(self._repository, name).trial
            if trial is None:
                return None
            counts = self._counts(name, trial)
        if trial.stopped is not None:
            return ShadowStatus(name, trial, counts, ShadowState.stopped)
        if counts.decision is not Decision.open:
            return ShadowStatus(name, trial, counts, ShadowState.decided)
        try:
            self.candidate(name, trial)
        except TesseraError as error:
            return ShadowStatus(name, trial, counts, ShadowState.paused, str(error))
        return ShadowStatus(name, trial, counts, ShadowState.running)

    def begin(self, name: str, version: int, by: str, *, share: float, pictures: int) -> ShadowStatus | None:
        """Starts a comparison of a loaded version with the one that serves, see `start_shadow`.

        Raises ModelNotFound, VersionNotFound, ModelLoading or ShadowRefused.
        """
        candidate, served = self._catalogue.wait(name, version), self._catalogue.wait(name)
        with _refusing():
            start_shadow(
                self._repository,
                served.name,
                Contender(candidate.version, candidate.digest),
                Contender(served.version, served.digest),
                by,
                share=share,
                pictures=pictures,
            )
        self._read()
        _log.info("model %s: version %d runs as a shadow of version %d", served.name, version, served.version)
        return self.status(served.name)

    def end(self, name: str, by: str) -> ShadowStatus | None:
        """Stops the comparison of a model; its counts stay. Raises ModelNotFound, ModelLoading or ShadowRefused."""
        name = self._catalogue.model(name).name
        with _refusing():
            trial = stop_shadow(self._repository, name, by)
        self._read()
        _log.info("model %s: the shadow of version %d is stopped", name, trial.version)
        return self.status(name)

    def _rescan(self) -> None:
        with self._change:
            self._due = True
            self._change.notify()

    def _run(self) -> None:
        stopped = False
        while not stopped:
            with self._change:
                self._change.wait_for(lambda: self._stopped or self._due or self._pending)
                due, self._due, stopped = self._due, False, self._stopped
                pending = list(self._pending)
            try:
                for name in pending:
                    self._settle(name)
                if due:
                    self._read()
            except Exception:  # the thread must live on
                _log.exception("the counts of shadows cannot be kept at present")
            with self._change:
                self._change.wait_for(lambda: self._stopped, FLUSH_S)

    def _read(self) -> None:
        """Reads which comparisons run."""
        with self._files:
            trials, served = dict[str, Trial](), [model.name for model in self._catalogue.models()]
            for name in served:
                try:
                    trial = read_shadow(self._repository, name).trial
                    if trial is None or trial.stopped is not None:
                        continue
                    if read_counts(self._repository, name, trial).decision is Decision.open:
                        trials[name] = trial
                    if name not in self._pending:
                        self._problems.pop(name, None)
                except InvalidServing as error:
                    self._report(name, str(error))
            self._open = trials
        with self._change:
            self._found = {name: each for name, each in self._found.items() if name in served}
            for name, trial in trials.items():  # the series of metrics begin at zero
                if name not in self._found or self._found[name][0].started != trial.started:
                    self._found[name] = trial, Tally()

    def _settle(self, name: str) -> None:
        """Writes the counts of a model. No comparison begins meanwhile."""
        with self._files:
            known = self._pending.get(name)
            if known is None:
                return
            try:
                self._counts(name, known[0])
            except InvalidServing as error:
                self._report(name, str(error))

    def _counts(self, name: str, trial: Trial) -> Counts:
        """The counts of all servers. Writes what is pending here, which stays pending if it cannot be written."""
        with self._change:
            known, pending = self._pending.pop(name, (trial, Tally()))
        if pending == Tally() or known.started != trial.started:
            return read_counts(self._repository, name, trial)
        try:
            counts = add_counts(self._repository, name, trial, pending)
            self._problems.pop(name, None)
        except (OSError, InvalidServing) as error:
            with self._change:
                newer = self._pending.get(name, (trial, Tally()))
                self._pending[name] = newer[0], pending.plus(newer[1])
            if isinstance(error, InvalidServing):
                raise
            self._report(name, f"the counts of the shadow cannot be written, and are lost at a restart: {error}")
            counts = read_counts(self._repository, name, trial).plus(pending, trial.pictures)
        if counts.decision is not Decision.open and self.trial(name) == trial:
            self._open = {model: each for model, each in self._open.items() if model != name}
            _log_decision(name, trial, counts)
        return counts

    def _report(self, name: str, problem: str) -> None:
        if self._problems.get(name) != problem:
            _log.error("model %s: %s", name, problem)
        self._problems[name] = problem


def _log_decision(name: str, trial: Trial, counts: Counts) -> None:
    meaning = {
        Decision.more_alarms: "has more alarms than",
        Decision.fewer_alarms: "has fewer alarms than",
        Decision.no_difference: "has no proven difference from",
    }
    _log.info(
        "model %s: it is decided that the shadow, version %d, %s version %d: of %d pictures, %d are anomalous for "
        "version %d only, and %d for version %d only",
        name,
        trial.version,
        meaning[counts.decision],
        trial.served,
        counts.tally.compared,
        counts.tally.candidate_only,
        trial.version,
        counts.tally.served_only,
        trial.served,
    )


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns errors of the files into ShadowRefused, whose messages are for clients."""
    try:
        yield
    except InvalidServing as error:
        raise ShadowRefused(error.plain) from error
    except OSError as error:
        raise ShadowRefused(
            f"the records of the shadow cannot be read or written ({error.strerror}); make the model repository "
            "writable for the server, or use `tessera models shadow` where it is"
        ) from error

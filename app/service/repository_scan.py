"""What a repository has: its versions, and which of them operators chose."""

import logging
from dataclasses import replace
from functools import partial

from app.artifacts import Entry, Fingerprint, ModelRepository
from app.errors import UnreadableRepository
from app.service.bare import bare
from app.service.choices import Choices, Pinned, ServeNew
from app.service.current_table import CurrentTable
from app.service.patience import Calls, StillRunning
from app.service.version_table import NO_MODEL, Pin, VersionState

_log = logging.getLogger(__name__)


class RepositoryScan:
    """Brings the table up to date with the versions of a repository, of which none is loaded here.

    A file system that hangs delays a scan by at most `patience_s` for each model. One thread scans.
    """

    def __init__(
        self, repository: ModelRepository, table: CurrentTable, serve_new: ServeNew, patience_s: float
    ) -> None:
        self._repository, self._table, self._serve_new = repository, table, serve_new
        self._calls = Calls(patience_s)
        self._unreadable: dict[str, str] = {}  # why models could not be scanned
        self.choices = Choices(repository, self._calls)
        """What operators chose."""
        self.problem: UnreadableRepository | None = None
        """Why the last scan could not read the repository."""

    def sweep(self) -> None:
        """Removes what killed writers left in the repository."""
        try:
            removed = self._calls.run("sweep", self._repository.sweep)
        except (StillRunning, OSError):
            return  # the scan reports what is wrong with the repository
        for path in removed:
            _log.info("removed %s, which a killed process left", path)

    def find(self, only: str | None, again: bool) -> bool:
        """Scans the repository; returns False if it is a mirror that could not be updated."""
        outdated = self._update()
        try:
            found, pinned = self._scan(only)
            default = self._calls.run("default", self.choices.default)
        except StillRunning as error:
            raise UnreadableRepository("the model repository does not answer; its file system may hang") from error
        except UnreadableRepository as error:
            self._report(error)
            raise
        self._report(outdated)
        before = self._table.now
        self._table.change(
            lambda table: replace(table, recorded_default=default).chosen(pinned).found(found, only=only, again=again)
        )
        table = self._table.now
        for name, pin in table.pins.items():
            if pin.version != before.pins.get(name, Pin()).version:
                which = "the newest version that is ready" if pin.version is None else f"version {pin.version}"
                _log.info("model %s: %s is chosen to serve", name, which)
        for status in before.statuses:
            if status.entry not in {kept.entry for kept in table.statuses}:
                _log.info("model %s version %d was removed", status.entry.name, status.entry.version)
        if outdated is None and not table.names and (before.names or not before.known):
            _log.warning("%s (%s)", NO_MODEL, self._repository.place)
        default = table.default_model
        if default is not None and default not in table.names and (default in before.names or not before.known):
            _log.warning("the default model %r is not in the repository", default)
        return outdated is None

    def _update(self) -> UnreadableRepository | None:
        """Brings a mirror up to date; returns why it cannot be. What it has is served nevertheless."""
        try:
            self._calls.run("update", self._repository.update)
        except StillRunning:
            return UnreadableRepository(f"the model repository {self._repository.place} does not answer")
        except UnreadableRepository as error:
            return error
        return None

    def _report(self, problem: UnreadableRepository | None) -> None:
        """Logs a change of the repository's problem: one line per problem, not per scan."""
        if problem is not None and str(problem) != str(self.problem):
            stays = self._table.now.count(VersionState.ready)
            _log.error("%s; %s", problem, "loaded models stay served" if stays else "no model is loaded yet")
        if problem is None and self.problem is not None:
            _log.info("the model repository can be read again")
        self.problem = None if problem is None else bare(problem)

    def _scan(self, only: str | None) -> tuple[dict[Entry, Fingerprint], dict[str, Pinned]]:
        """The versions of all models, or of the model `only`, with fingerprints, and the pinned version of each model.

        Raises UnreadableRepository. The versions of a model whose directory cannot be read, or hangs, stay as they are.
        """
        try:
            names = self._calls.run("names", self._repository.names)
        except StillRunning as error:
            raise UnreadableRepository(
                f"the model repository {self._repository.place} does not answer; its file system may hang"
            ) from error
        found: dict[Entry, Fingerprint] = {}
        pinned: dict[str, Pinned] = {}
        for name in names if only is None else [name for name in names if name == only]:
            try:
                versions, pinned[name] = self._calls.run(("scan", name), partial(self._scan_model, name))
                found |= versions
                self._unreadable.pop(name, None)
            except (StillRunning, OSError) as error:
                reason = (error.strerror or str(error)) if isinstance(error, OSError) else "its file system hangs"
                if self._unreadable.get(name) != reason:
                    _log.error("the directory of model %s cannot be read (%s); it stays as it was", name, reason)
                self._unreadable[name] = reason
                found |= {status.entry: status.seen for status in self._table.now.statuses if status.entry.name == name}
        return found, pinned

    def _scan_model(self, name: str) -> tuple[dict[Entry, Fingerprint], Pinned]:
        pinned = self.choices.pinned(name)
        return self._repository.scan(name), pinned

    def choose(self, only: str | None) -> None:
        """Pins the newest version of models without a pin, and keeps the default model."""
        for model in self._table.now.models() if self._serve_new == "pinned" else ():
            newest = next((status for status in reversed(model.versions) if not status.error or status.artifact), None)
            free = model.pin.version is None and not model.pin.problem and only in (None, model.name)
            if free and newest and newest.description:
                self._pin(newest.entry)
        self.choices.keep_default(self._table.now)

    def _pin(self, entry: Entry) -> None:
        self._table.change(lambda table: table.chosen({entry.name: entry.version}))
        self.choices.pin(entry.name, entry.version)

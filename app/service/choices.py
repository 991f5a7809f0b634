"""What the repository records of what serves: the pinned version of each model, and the default model."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Literal

from app.artifacts import ModelRepository, pin_found, read_default, record_default
from app.errors import InvalidServing
from app.service.patience import Calls, StillRunning
from app.service.version_table import DEFAULT, VersionTable

ServeNew = Literal["newest", "pinned"]
"""Whether new versions of a model without a pinned version serve at once, or the version that was found first is pinned
and new versions are candidates.
"""

Pinned = int | InvalidServing | None

_log = logging.getLogger(__name__)


class Choices:
    """Reads the choices of operators, and records those of the server. Each problem is logged once.

    A repository may be read-only. Then the server's choices hold until it ends.
    """

    def __init__(self, repository: ModelRepository, calls: Calls) -> None:
        self._repository, self._calls = repository, calls
        self._unrecorded: dict[str, int] = {}  # versions of models whose pins could not be written
        self._default: str | None = None
        self._problems: dict[str, str] = {}
        self._unread: dict[str, str] = {}  # models whose choices cannot be read, and why
        self._unread_default: str | None = None

    def pinned(self, name: str) -> Pinned:
        """The pinned version of a model; None: none is pinned; an error: it is not known."""
        try:
            found = self._repository.serving(name).pinned
        except InvalidServing as error:
            self._unread[name] = error.plain
            self._report(name, f"{error}; the last choice holds, if there is one")
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        self._unread.pop(name, None)
        if name not in self._unrecorded:
            self._problems.pop(name, None)
        return found or self._unrecorded.get(name)

    def default(self) -> str | None:
        """The recorded default model; the last one that was read if the file cannot be used."""
        try:
            self._default = read_default(self._repository.root)
            self._problems.pop(DEFAULT, None)
            self._unread_default = None
        except InvalidServing as error:
            self._unread_default = error.plain
            self._report(DEFAULT, str(error))
        return self._default

    def unread(self, name: str) -> str | None:
        """Why the choice for a model cannot be read; None: it can."""
        return self._unread.get(name)

    @property
    def unread_default(self) -> str | None:
        """Why the recorded default model cannot be read; None: it can."""
        return self._unread_default

    def pin(self, name: str, version: int) -> None:
        """Records that the server keeps a version serving."""
        _log.info("model %s: version %d is pinned, because serve_new is pinned", name, version)
        if not self._record(("pin", name), partial(pin_found, self._repository, name, version)):
            self._unrecorded[name] = version

    def keep_default(self, table: VersionTable) -> None:
        """Records the default model when others have joined it, so that the name keeps its meaning after a restart."""
        name, known = table.default_name, (None, DEFAULT, table.default_model, table.recorded_default)
        if name is not None and name not in known and len(table.names) > 1:
            self._record("record default", partial(record_default, self._repository.root, name))

    def _record(self, key: object, write: Callable[[], None]) -> bool:
        try:
            self._repository.require_writable()
            self._calls.run(key, write)
            return True
        except (StillRunning, OSError, InvalidServing) as error:
            self._report(str(key), f"a choice cannot be recorded in the repository, and is lost at a restart: {error}")
            return False

    def _report(self, subject: str, problem: str) -> None:
        if self._problems.get(subject) != problem:
            _log.error("%s", problem)
        self._problems[subject] = problem

"""The table of versions as it is now."""

from collections.abc import Callable
from threading import Lock

from app.service.version_table import VersionTable


class CurrentTable:
    """The table of versions that is used now. It is replaced as a whole, so that readers need no lock."""

    def __init__(self, table: VersionTable) -> None:
        self._now, self._change = table, Lock()

    @property
    def now(self) -> VersionTable:
        """The current table."""
        return self._now

    def change(self, change: Callable[[VersionTable], VersionTable]) -> None:
        """Replaces the table by what `change` makes of it. One thread changes it at a time."""
        with self._change:
            self._now = change(self._now)

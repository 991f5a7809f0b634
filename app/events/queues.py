"""Queues in a spool folder whose sinks are no longer given."""

import logging
import re
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path

from app.files import locked

ENDING = ".sqlite"
"""The ending of the name of a queue's file; before it stands the key of its sink's address."""
_NAME = re.compile(rf"[a-z]+-[0-9a-f]{{12}}{re.escape(ENDING)}")

_log = logging.getLogger("tessera.events")


def remove_queues(folder: Path, kept: Collection[str]) -> None:
    """Removes the empty queues of other sinks than `kept`, and names in the log those that hold events.

    The caller holds the lock of the folder. Files that are no queues stay. Errors are logged: a queue that is left over
    must not stop the delivery of the others.
    """
    for path in sorted(folder.glob(f"*{ENDING}")):
        if path.name.removesuffix(ENDING) in kept or not _NAME.fullmatch(path.name):
            continue
        try:
            count = _count(path)
            if count == 0:
                for file in (path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))):
                    file.unlink(missing_ok=True)
        except (sqlite3.Error, OSError) as error:
            _log.warning(
                "the queue %s of a sink that on_verdict does not name cannot be read (%s); remove it if nobody needs "
                "its events",
                path,
                error,
            )
            continue
        if count:
            _log.warning(
                "%d events wait in the queue %s of a sink that on_verdict does not name; name the sink again to send "
                "them, or remove the file",
                count,
                path,
            )
        else:
            _log.info("removed the empty queue %s of a sink that on_verdict does not name", path)


def leave_no_queue(folder: Path) -> None:
    """`remove_queues` for a process without sinks, which does not need the folder: another process may use it."""
    with suppress(OSError), locked(folder, wait=False):
        remove_queues(folder, ())


def _count(path: Path) -> int:
    """The number of events in a queue; raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM events").fetchone()[0])

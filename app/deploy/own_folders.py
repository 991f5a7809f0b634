"""Folders that one replica has to itself, although all replicas have the same settings."""

from contextlib import ExitStack
from itertools import count
from pathlib import Path

from app.files import locked
from app.settings import Settings


def with_own_folders(settings: Settings, held: ExitStack) -> Settings:
    """The settings, with folders of this replica for the queues of verdicts and for their record.

    They are the first `replica-N` below the given folders that no other replica of the machine holds, so that a new
    replica takes over what waits in the queues of one that has ended. `held` holds them.
    """
    changed: dict[str, object] = {}
    if settings.on_verdict:
        changed["spool_dir"] = _first_free(settings.spool_dir, held) / "spool"
    if settings.verdict_record is not None:
        changed["verdict_record"] = _first_free(settings.verdict_record.parent, held) / settings.verdict_record.name
    return settings.model_copy(update=changed)


def _first_free(folder: Path, held: ExitStack) -> Path:
    """The first `replica-N` in the folder that is not locked; it is made, and locked until `held` is closed."""
    for number in count():
        own = folder / f"replica-{number}"
        own.mkdir(parents=True, exist_ok=True)
        try:
            held.enter_context(locked(own, wait=False))
        except BlockingIOError:
            continue
        return own
    raise AssertionError  # numbers do not end

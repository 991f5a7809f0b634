"""What every process of a training or a teaching does: it obeys its limits, and reports by messages.

Standard output has a message in each line, as JSON: `{"stage", "done", "total"}` for progress, and at last the result,
which has a `version`, or `{"code", "message"}` of an error.
"""

import json
import os
import resource
from collections.abc import Callable

from app.decoders.work import die_with, end_first, ignore_signals, set_limit
from app.errors import TesseraError
from app.pipeline import use_processors
from app.training.time_left import ANNOUNCEMENT
from app.trainings.limits import TrainingLimits

Send = Callable[[dict[str, object]], None]
LOWEST_PRIORITY = 19  # see nice(2)


def run_child(
    limits: TrainingLimits, parent: int, work: Callable[[Send], dict[str, object]], plain: Callable[[str], str]
) -> int:
    """Does the work, and reports it; returns the exit status, which is 0 if there is a result.

    parent: the number of the server's process, with which this one ends
    plain: makes a message for clients of the message of an error
    """
    ignore_signals()
    die_with(parent)
    end_first()
    os.nice(LOWEST_PRIORITY)
    set_limit(resource.RLIMIT_DATA, limits.memory_bytes)
    use_processors(limits.processors)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no message

    def send(message: dict[str, object]) -> None:
        print(json.dumps(message), file=out, flush=True)

    try:
        send(work(send))
    except TesseraError as error:
        send({"code": error.code, "message": plain(str(error))})
        return 1
    return 0


class Reports:
    """Sends progress as messages."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage != ANNOUNCEMENT:
            self._send({"stage": stage, "done": done, "total": total})

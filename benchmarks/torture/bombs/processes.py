"""Kind 9: parts of the server that die. Those that hang or fail inside it are in `benchmarks.torture.end`."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Event

from benchmarks.torture.bombs.trick import Attack, Trick
from benchmarks.torture.family import family
from benchmarks.torture.served import Served

EVERY_S = 0.5


def _killing(choose: Callable[[list[int]], list[int]]) -> Attack:
    """Kills some of the server's processes, given in the order in which they were started, again and again."""

    def run(server: Served, ended: Event, got: Counter[str]) -> None:
        while not ended.wait(EVERY_S):
            for each in choose(family(server.pid)[1:]):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
                    got["killed"] += 1

    return run


TRICKS = [
    Trick(9, "decoders are killed", _killing(lambda processes: processes[1:])),
    Trick(9, "the process that forks decoders is killed", _killing(lambda processes: processes[:1])),
]

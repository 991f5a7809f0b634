"""A way to attack a server."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from benchmarks.torture.clients import RAW, Request, send
from benchmarks.torture.served import Served

MODEL = "demo"
PREDICT = f"/v1/models/{MODEL}/predict"
INFER = f"/v2/models/{MODEL}/infer"

Attack = Callable[[Served, Event, Counter[str]], None]


@dataclass(frozen=True, slots=True)
class Trick:
    """A trick of one of the nine kinds.

    run: attacks a server until the event is set, and counts what the attackers got
    """

    kind: int
    name: str
    run: Attack


def posting(make: Callable[[], Request]) -> Attack:
    """Sends one request again and again. It is made when the attack begins, because it may be large."""

    def run(server: Served, ended: Event, got: Counter[str]) -> None:
        request = make()
        while not ended.is_set():
            got[str(send(server.port, request).status)] += 1

    return run


def upload(make: Callable[[], bytes], path: str = PREDICT) -> Attack:
    """Posts a file as a picture again and again."""
    return posting(lambda: Request("POST", path, make(), RAW))

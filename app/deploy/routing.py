"""The replica to which a request is sent. Runs in Serve's proxies, so it imports no model code."""

import pickle
import re
from collections.abc import Sequence
from hashlib import blake2b
from random import sample

from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica

LOADED, QUEUED = "loaded", "tiles"
"""The names of the statistics that replicas report: the models in memory (absent: all of them), and the tiles that wait
or run.
"""

MODEL = re.compile(r"/v[12]/models/([^/]+)/")

BUSY_TILES = 64
"""With more tiles than this in each queue of the replicas that have a model, one more replica loads it."""


class ByModel(FIFOMixin, RequestRouter):
    """Offers replicas that have the request's model in memory, of which Serve takes the one with fewer requests.

    Where all replicas have all models, these are two random ones. Serve's own router prefers replicas on the node of
    the proxy until they have `max_ongoing_requests`. As the application admits requests itself, that limit is high, and
    the replicas of other nodes would get no requests. Serve's own routing by models follows a header, which clients of
    this application would have to send.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """One set of candidates; none if there is no replica."""
        if not candidate_replicas:
            return []
        stats = {replica.replica_id.unique_id: replica.routing_stats for replica in candidate_replicas}
        model = _model_of(pending_request) if any(LOADED in found for found in stats.values()) else None
        if model is None:
            return [sample(candidate_replicas, min(2, len(candidate_replicas)))]
        chosen = chosen_for(model, stats)
        return [[replica for replica in candidate_replicas if replica.replica_id.unique_id in chosen]]


def chosen_for(model: str, stats: dict[str, dict[str, object]]) -> set[str]:
    """The replicas to offer, at least one and at most two, of those with these names and statistics.

    Two of those that have the model. If none has it, or all of them are busy, also the next one by a hash of the model
    and the replica, so that all proxies choose the same one, and few models move when replicas come and go
    (rendezvous hashing, Thaler & Ravishankar 1998).
    """
    holders = [name for name, found in stats.items() if model in _loaded(found)]
    others = sorted(stats.keys() - holders, key=lambda name: blake2b(f"{model} {name}".encode()).digest())
    if holders and not (others and all(_tiles(stats[name]) > BUSY_TILES for name in holders)):
        return set(sample(holders, min(2, len(holders))))
    return {*sample(holders, min(1, len(holders))), others[0]}


def _loaded(stats: dict[str, object]) -> Sequence[object]:
    found = stats.get(LOADED)
    return found if isinstance(found, list) else ()


def _tiles(stats: dict[str, object]) -> int:
    found = stats.get(QUEUED)
    return found if isinstance(found, int) else 0


def _model_of(request: PendingRequest | None) -> str | None:
    """The model in the path of an HTTP request, which Serve's proxy sends in pickled form; None: it names none."""
    argument = request.args[0] if request is not None and request.args else None
    if not isinstance(argument, bytes):
        return None
    path = pickle.loads(argument).asgi_scope["path"]  # noqa: S301  # made by the same process
    found = MODEL.search(path)
    return found and found[1]

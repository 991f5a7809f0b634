"""The replica to which a request is sent. Runs in Serve's proxies, so it imports no model code."""

from random import sample

from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica


class AnyNode(FIFOMixin, RequestRouter):
    """Offers two random replicas, of which Serve takes the one with fewer requests.

    Serve's own router prefers replicas on the node of the proxy until they have `max_ongoing_requests`. As the
    application admits requests itself, that limit is high, and the replicas of other nodes would get no requests.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """One set of candidates; none if there is no replica."""
        if not candidate_replicas:
            return []
        return [sample(candidate_replicas, min(2, len(candidate_replicas)))]

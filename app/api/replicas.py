"""All replicas of the application on a cluster, as the routes see them."""

from typing import Protocol

from app.api.schemas.reload import ReplicaReloadBody


class Replicas(Protocol):
    """The replicas of the application that Serve runs now, this one included."""

    async def reload(self, model: str | None) -> list[ReplicaReloadBody]:
        """Scans the repository on every replica, for one model or all; what each of them found, sorted by its name.

        A replica that does not answer is in the list, too.
        """

    async def metrics(self) -> bytes:
        """The metrics of all replicas in Prometheus' text format, with the label `replica`."""

"""What a request asks of all replicas: a reload, or their metrics."""

import asyncio

from app.api.schemas.reload import ReplicaReloadBody
from app.deploy.exposition import merge
from app.deploy.members import Members

METRICS_S = 3.0
"""How long a scrape waits for the replicas; Prometheus itself waits for 10 s by default."""


class Everywhere:
    """Calls all replicas of the application. `reload_here` and `metrics_here` are methods of each replica."""

    def __init__(self, members: Members, reload_timeout_s: float) -> None:
        self._members, self._reload_timeout_s = members, reload_timeout_s

    async def reload(self, model: str | None) -> list[ReplicaReloadBody]:
        names = self._members.names
        answers = await self._members.call("reload_here", model, timeout_s=self._reload_timeout_s)
        found = {body.replica: body for body in map(ReplicaReloadBody.model_validate, answers)}
        silent = (
            f"the replica has ended, or has not answered within {self._reload_timeout_s:g} s; it scans the repository "
            "when it starts, and every reload_interval_s; reload again to see whether it has"
        )
        for name in names - found.keys():
            found[name] = ReplicaReloadBody(replica=name, answered=False, problem=silent)
        return [body for _, body in sorted(found.items())]

    async def metrics(self) -> bytes:
        names = self._members.names
        answers = await self._members.call("metrics_here", timeout_s=METRICS_S)
        texts: dict[str, str | None] = dict.fromkeys(names)
        texts |= dict(answers)
        return await asyncio.to_thread(merge, texts)

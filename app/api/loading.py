"""Waits for the model of a request, if it is not in memory."""

from time import monotonic

from app.artifacts import Artifact
from app.service import LOAD_S, ModelCatalogue


async def loaded(
    catalogue: ModelCatalogue, name: str, version: int | None, timeout_s: float | None = None
) -> tuple[Artifact, float | None]:
    """The version that a request means, and how much of its time limit is left, to a tenth of a second.

    Waits for a version that is not in memory, at most for the time limit. Raises ModelNotFound, VersionNotFound or
    ModelLoading.
    """
    started_s = monotonic()
    artifact = await catalogue.loaded(name, version, LOAD_S if timeout_s is None else min(timeout_s, LOAD_S))
    waited_s = round(monotonic() - started_s, 1)  # the message of a timeout shows this number
    return artifact, None if timeout_s is None else max(timeout_s - waited_s, 0.0)

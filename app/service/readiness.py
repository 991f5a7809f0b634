"""Whether the server can answer pictures."""

from app.scheduling import DeviceWorker
from app.service.catalogue import ModelCatalogue
from app.service.version_table import VersionState


def unready_reasons(catalogue: ModelCatalogue, worker: DeviceWorker) -> list[str]:
    """The reasons why the server is not ready; empty if it is. It stays ready while versions are swapped."""
    reasons = []
    if not catalogue.started:
        reasons.append("models are still being loaded")
    elif not catalogue.count(VersionState.ready):
        reasons.append(str(catalogue.problem or "no model could be loaded; see /v1/models"))
    if not worker.healthy:
        reasons.append("no device takes work: all have failed, or the server is shutting down")
    return reasons

"""Whether the server can answer pictures."""

from app.scheduling import DeviceWorker
from app.service.catalogue import ModelCatalogue
from app.service.version_table import NO_MODEL, ServedModel, VersionState


def unready_reasons(catalogue: ModelCatalogue, worker: DeviceWorker) -> list[str]:
    """The reasons why the server is not ready; empty if it is. It stays ready while versions are swapped."""
    reasons = []
    if not catalogue.started:
        reasons.append("models are still being loaded")
    elif not catalogue.count(VersionState.ready):
        nothing = "no model could be loaded; see /v1/models" if catalogue.models() else NO_MODEL
        reasons.append(str(catalogue.problem or nothing))
    elif any(model.default and _is_loading(model) for model in catalogue.models()):
        reasons.append("the default model is still being loaded")
    if not worker.healthy:
        reasons += worker.health.faults or ["no picture is taken: the server is starting, or shutting down"]
    return reasons


def dead_reasons(worker: DeviceWorker) -> list[str]:
    """The reasons why only a new process can help; empty if there is none."""
    return worker.health.fatal


def _is_loading(model: ServedModel) -> bool:
    return model.live is None and any(status.state is VersionState.loading for status in model.versions)

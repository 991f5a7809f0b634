"""An immutable table of the versions of all models and their states. Finds the version that a request means."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from app.artifacts import Artifact, Entry, Fingerprint
from app.errors import ModelLoading, ModelNotFound, TesseraError, VersionNotFound

DEFAULT = "default"


class VersionState(StrEnum):
    """Whether a version is served: its files are still to be loaded, loaded, or refused."""

    loading = "loading"
    ready = "ready"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """A version of a model: loaded, refused with an error, or still to be loaded.

    With both an artifact and an error, its new files were refused, and the artifact loaded before stays served.

    seen: the fingerprint of its files at the last scan
    tried: the fingerprint of its files at the last attempt to load them
    """

    entry: Entry
    seen: Fingerprint
    tried: Fingerprint | None = None
    artifact: Artifact | None = None
    error: TesseraError | None = None

    @property
    def state(self) -> VersionState:
        """Whether it is served."""
        if self.artifact is not None:
            return VersionState.ready
        return VersionState.loading if self.error is None else VersionState.failed

    @property
    def due(self) -> bool:
        """Whether its files have changed since the last attempt to load them."""
        return self.seen != self.tried


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The versions of a model, the oldest first, and whether `default` means it."""

    name: str
    versions: tuple[VersionStatus, ...]
    default: bool

    @property
    def newest(self) -> Artifact | None:
        """The artifact that is served if a request names no version."""
        return next((status.artifact for status in reversed(self.versions) if status.artifact is not None), None)


@dataclass(frozen=True, slots=True)
class VersionTable:
    """All versions, sorted by name and number; each change makes another table.

    The name `default` means `default_model`. If `default_model` is None, it means the model named `default`, or else
    the only model. `known` is False until the first scan of the repository.
    """

    default_model: str | None = None
    statuses: tuple[VersionStatus, ...] = ()
    known: bool = False

    def found(
        self, found: Mapping[Entry, Fingerprint], *, only: str | None = None, again: bool = False
    ) -> "VersionTable":
        """The table after a scan of the repository, or of the model `only`: versions are added, removed, or due again.

        A refused version is due again only if its files have changed, or with `again`.
        """
        known = {status.entry: status for status in self.statuses}
        kept = [status for status in self.statuses if only not in (None, status.entry.name)]
        for entry, seen in found.items():
            if only in (None, entry.name):
                status = replace(known.get(entry, VersionStatus(entry, seen)), seen=seen)
                kept.append(replace(status, tried=None) if again and status.error else status)
        kept.sort(key=lambda status: (status.entry.name, status.entry.version))
        return replace(self, statuses=tuple(kept), known=True)

    def due(self, only: str | None = None) -> list[VersionStatus]:
        """The versions to load: first the newest of each model, then the second newest of each, and so on."""
        ranked = [
            (rank, status) for name in self.names for rank, status in enumerate(reversed(self._model(name).versions))
        ]
        ranked.sort(key=lambda ranked: ranked[0])
        return [status for _, status in ranked if status.due and only in (None, status.entry.name)]

    def loaded(self, tried: VersionStatus, artifact: Artifact) -> "VersionTable":
        """The table after the version was loaded."""
        return self._with(tried, artifact, None)

    def refused(self, tried: VersionStatus, error: TesseraError) -> "VersionTable":
        """The table after the version was refused. An artifact loaded before stays served."""
        return self._with(tried, tried.artifact, error)

    def _with(self, tried: VersionStatus, artifact: Artifact | None, error: TesseraError | None) -> "VersionTable":
        statuses = tuple(
            replace(status, tried=tried.seen, artifact=artifact, error=error) if status.entry == tried.entry else status
            for status in self.statuses
        )
        return replace(self, statuses=statuses)

    def count(self, state: VersionState) -> int:
        """How many versions are in this state."""
        return sum(status.state == state for status in self.statuses)

    @property
    def names(self) -> list[str]:
        return sorted({status.entry.name for status in self.statuses})

    @property
    def default_name(self) -> str | None:
        """The model that `default` means."""
        names = self.names
        if self.default_model is not None:
            return self.default_model
        if DEFAULT in names:
            return DEFAULT
        return names[0] if len(names) == 1 else None

    def models(self) -> list[ServedModel]:
        """All models by name, with all of their versions, refused ones included."""
        return [self._model(name) for name in self.names]

    def model(self, name: str) -> ServedModel:
        """The model of this name, or the one that `default` means; raises ModelNotFound or ModelLoading."""
        if not self.known:
            raise ModelLoading("the model repository was not read yet; try again in a few seconds")
        meant = self.default_name if name == DEFAULT else name
        if meant is None:
            raise ModelNotFound(f"no default model is set; name one of these: {_listed(self.names)}")
        if meant not in self.names:
            raise ModelNotFound(f"there is no model {meant!r}; available: {_listed(self.names)}")
        return self._model(meant)

    def get(self, name: str, version: int | None = None) -> Artifact:
        """A loaded version, by default the newest; raises ModelNotFound, VersionNotFound or ModelLoading."""
        model = self.model(name)
        if version is None:
            return model.newest or _refuse(model, model.versions[-1])
        status = next((status for status in model.versions if status.entry.version == version), None)
        if status is None:
            numbers = _listed(str(known.entry.version) for known in model.versions)
            raise VersionNotFound(f"model {model.name!r} has no version {version}; available: {numbers}")
        return status.artifact or _refuse(model, status)

    def _model(self, name: str) -> ServedModel:
        versions = tuple(status for status in self.statuses if status.entry.name == name)
        return ServedModel(name, versions, default=name == self.default_name)


def _refuse(model: ServedModel, status: VersionStatus) -> Artifact:
    place = f"version {status.entry.version} of model {model.name!r}"
    # While no version is ready, a request for the newest may be answered by any version that is still loading.
    if status.state == "loading" or (model.newest is None and any(v.state == "loading" for v in model.versions)):
        raise ModelLoading(f"{place} is still being loaded; try again in a few seconds")
    ready = _listed(str(known.entry.version) for known in model.versions if known.state == "ready")
    code = status.error.code if status.error else "unknown"
    raise VersionNotFound(f"{place} could not be loaded ({code}); ready versions: {ready}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

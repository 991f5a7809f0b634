"""An immutable table of the versions of all models and their states. Finds the version that a request means."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.artifacts import Artifact, Entry, Fingerprint
from app.errors import InvalidServing, ModelLoading, ModelNotFound, TesseraError, VersionNotFound

DEFAULT = "default"
NO_MODEL = "there is no model in models_dir; train one (tessera train), or copy the folder of one there"


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


class Stage(StrEnum):
    """Whether a version answers requests without a version (live), is newer than that one (candidate), or older
    (earlier). Candidates and earlier versions answer requests that name them.
    """

    live = "live"
    candidate = "candidate"
    earlier = "earlier"


@dataclass(frozen=True, slots=True)
class Pin:
    """Which version of a model serves.

    version: the pinned one; None: the newest that is ready
    instead: the one that served before, which serves until the pinned one is ready
    problem: why this is not known; then no version serves, unless requests name one
    """

    version: int | None = None
    instead: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The versions of a model, the oldest first, which of them serves, and whether `default` means the model."""

    name: str
    versions: tuple[VersionStatus, ...]
    default: bool
    pin: Pin = Pin()

    @property
    def live(self) -> Artifact | None:
        """The artifact that is served if a request names no version."""
        if self.pin.problem:
            return None
        ready = {status.entry.version: status.artifact for status in self.versions if status.artifact is not None}
        if self.pin.version is None:
            return ready.get(max(ready, default=0))
        return ready.get(self.pin.version) or ready.get(self.pin.instead or 0)

    def stage(self, version: int) -> Stage:
        """The stage of one of the versions."""
        live = 0 if self.live is None else self.live.version
        return Stage.live if version == live else Stage.candidate if version > live else Stage.earlier


@dataclass(frozen=True, slots=True)
class VersionTable:
    """All versions, sorted by name and number; each change makes another table.

    The name `default` means `default_model`. If `default_model` is None, it means the model that the repository
    records, or else the one that it meant before, the model named `default`, or the only model. `known` is False until
    the first scan of the repository.
    """

    default_model: str | None = None
    recorded_default: str | None = None
    previous_default: str | None = field(default=None, compare=False)
    pins: Mapping[str, Pin] = field(default_factory=dict)
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
        return replace(self, statuses=tuple(kept), known=True, previous_default=self.default_name)

    def chosen(self, pinned: Mapping[str, int | InvalidServing | None]) -> "VersionTable":
        """The table after the pinned versions of these models were read; None: none is pinned.

        If it is not known which version of a model is pinned, the earlier choice holds.
        """
        return replace(
            self, pins=dict(self.pins) | {name: self._pin(name, version) for name, version in pinned.items()}
        )

    def _pin(self, name: str, pinned: int | InvalidServing | None) -> Pin:
        before, model = self.pins.get(name), self._model(name)
        if isinstance(pinned, InvalidServing):
            return Pin(problem=pinned.plain) if before is None or before.problem else before
        if before is not None and not before.problem and before.version == pinned:
            ready = any(status.entry.version == pinned and status.artifact is not None for status in model.versions)
            return Pin(pinned) if ready else before
        return Pin(pinned, instead=None if model.live is None else model.live.version)

    def due(self, only: str | None = None) -> list[VersionStatus]:
        """The versions to load: first the pinned and the newest of each model, then the second newest, and so on."""
        ranked = [
            (0 if status.entry.version == model.pin.version else rank, status)
            for model in self.models()
            for rank, status in enumerate(reversed(model.versions))
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
        if self.recorded_default is not None:
            return self.recorded_default
        if self.previous_default in names:
            return self.previous_default
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
        if not self.names:
            raise ModelNotFound(NO_MODEL)
        meant = self.default_name if name == DEFAULT else name
        if meant is None:
            raise ModelNotFound(f"no default model is set (default_model); name one of these: {_listed(self.names)}")
        if meant not in self.names:
            raise ModelNotFound(f"there is no model {meant!r}; available: {_listed(self.names)}")
        return self._model(meant)

    def get(self, name: str, version: int | None = None) -> Artifact:
        """A loaded version, by default the live one; raises ModelNotFound, VersionNotFound or ModelLoading."""
        model = self.model(name)
        if version is None:
            return model.live or _refuse_live(model)
        status = next((status for status in model.versions if status.entry.version == version), None)
        if status is None:
            numbers = _listed(str(known.entry.version) for known in model.versions)
            raise VersionNotFound(f"model {model.name!r} has no version {version}; available: {numbers}")
        return status.artifact or _refuse(model, status)

    def _model(self, name: str) -> ServedModel:
        versions = tuple(status for status in self.statuses if status.entry.name == name)
        return ServedModel(name, versions, name == self.default_name, self.pins.get(name, Pin()))


def _refuse_live(model: ServedModel) -> Artifact:
    pin = model.pin
    if pin.problem:
        raise VersionNotFound(
            f"the version of model {model.name!r} that serves is not known: {pin.problem}; or name a version"
        )
    if pin.version is None:
        return _refuse(model, model.versions[-1])
    status = next((status for status in model.versions if status.entry.version == pin.version), None)
    if status is None:
        numbers = _listed(str(known.entry.version) for known in model.versions)
        raise VersionNotFound(
            f"version {pin.version} of model {model.name!r} is pinned, and is not in the repository; promote another "
            f"one (tessera models promote), or name one of these: {numbers}"
        )
    return _refuse(model, status)


def _refuse(model: ServedModel, status: VersionStatus) -> Artifact:
    place = f"version {status.entry.version} of model {model.name!r}"
    # While no version is ready, a request for the newest may be answered by any version that is still loading.
    if status.state == "loading" or (
        model.pin.version is None and model.live is None and any(v.state == "loading" for v in model.versions)
    ):
        raise ModelLoading(f"{place} is still being loaded; try again in a few seconds")
    ready = _listed(str(known.entry.version) for known in model.versions if known.state == "ready")
    code = status.error.code if status.error else "unknown"
    raise VersionNotFound(f"{place} could not be loaded ({code}); ready versions: {ready}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

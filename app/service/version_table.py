"""An immutable table of the versions of all models and their states. Finds the version that a request means."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.artifacts import Artifact, Description, Entry, Fingerprint
from app.errors import InvalidServing, ModelLoading, ModelNotFound, TesseraError, VersionNotFound

DEFAULT = "default"
NO_MODEL = "there is no model in models_dir; train one (tessera train), or copy the folder of one there"


class VersionState(StrEnum):
    """Whether a version is served: its files are still to be loaded; requests are answered, now or after its model was
    brought into memory (ready); or its files are refused.
    """

    loading = "loading"
    ready = "ready"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """A version of a model: loaded, not in memory, refused with an error, or still to be loaded.

    With both an artifact and an error, its new files were refused, and the artifact loaded before stays served.

    seen: the fingerprint of its files at the last scan
    tried: the fingerprint of its files at the last attempt to load or describe them
    unloaded: what its manifest says, while its model is not in memory
    """

    entry: Entry
    seen: Fingerprint
    tried: Fingerprint | None = None
    artifact: Artifact | None = None
    error: TesseraError | None = None
    unloaded: Description | None = None

    @property
    def state(self) -> VersionState:
        """Whether it is served."""
        if self.description is not None:
            return VersionState.ready
        return VersionState.loading if self.error is None else VersionState.failed

    @property
    def description(self) -> Description | None:
        """What its manifest says, if it answers requests, now or after it is loaded; else None."""
        return self.unloaded if self.artifact is None else self.artifact.description

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
    def live(self) -> int | None:
        """The version that answers requests without a version; None: there is none."""
        if self.pin.problem:
            return None
        usable = {status.entry.version for status in self.versions if status.description is not None}
        if self.pin.version is None:
            return max(usable, default=None)
        return next((version for version in (self.pin.version, self.pin.instead) if version in usable), None)

    @property
    def has_live_in_memory(self) -> bool:
        """Whether requests without a version find their model in memory."""
        status = self.version(self.live)
        return status is not None and status.artifact is not None

    def version(self, number: int | None) -> VersionStatus | None:
        """The version of this number; None: there is none."""
        return next((status for status in self.versions if status.entry.version == number), None)

    def stage(self, version: int) -> Stage:
        """The stage of one of the versions."""
        live = self.live or 0
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
            status = model.version(pinned)
            return before if status is None or status.description is None else Pin(pinned)
        return Pin(pinned, instead=model.live)

    def due(self, only: str | None = None) -> list[VersionStatus]:
        """The versions to load: first the pinned and the newest of each model, then the second newest, and so on.

        Of versions with the same rank, those of the default model come first.
        """
        ranked = [
            ((0 if status.entry.version == model.pin.version else rank, not model.default), status)
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

    def described(self, tried: VersionStatus, description: Description) -> "VersionTable":
        """The table after the version was found, and is loaded when a request needs it."""
        return self._with(tried, None, None, description)

    def without_model(self, entry: Entry) -> "VersionTable":
        """The table after the model of a version was taken from memory. It is loaded when a request needs it."""
        return replace(
            self,
            statuses=tuple(
                replace(status, artifact=None, unloaded=status.description) if status.entry == entry else status
                for status in self.statuses
            ),
        )

    def _with(
        self,
        tried: VersionStatus,
        artifact: Artifact | None,
        error: TesseraError | None,
        unloaded: Description | None = None,
    ) -> "VersionTable":
        tried = replace(tried, tried=tried.seen, artifact=artifact, error=error, unloaded=unloaded)
        return replace(
            self,
            statuses=tuple(
                replace(tried, seen=status.seen) if status.entry == tried.entry else status for status in self.statuses
            ),
        )

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

    def meant(self, name: str, version: int | None = None) -> VersionStatus:
        """The version that a request means: a loaded or an unloaded one, by default the live one.

        Raises ModelNotFound, VersionNotFound or ModelLoading.
        """
        model = self.model(name)
        number = model.live if version is None else version
        if number is None:
            raise _no_live(model)
        status = model.version(number)
        if status is None:
            numbers = _listed(str(known.entry.version) for known in model.versions)
            raise VersionNotFound(f"model {model.name!r} has no version {version}; available: {numbers}")
        if status.description is None:
            raise _refusal(model, status)
        return status

    def _model(self, name: str) -> ServedModel:
        versions = tuple(status for status in self.statuses if status.entry.name == name)
        return ServedModel(name, versions, name == self.default_name, self.pins.get(name, Pin()))


def _no_live(model: ServedModel) -> TesseraError:
    pin = model.pin
    if pin.problem:
        return VersionNotFound(
            f"the version of model {model.name!r} that serves is not known: {pin.problem}; or name a version"
        )
    if pin.version is None:
        return _refusal(model, model.versions[-1])
    status = model.version(pin.version)
    if status is None:
        numbers = _listed(str(known.entry.version) for known in model.versions)
        return VersionNotFound(
            f"version {pin.version} of model {model.name!r} is pinned, and is not in the repository; promote another "
            f"one (tessera models promote), or name one of these: {numbers}"
        )
    return _refusal(model, status)


def _refusal(model: ServedModel, status: VersionStatus) -> TesseraError:
    place = f"version {status.entry.version} of model {model.name!r}"
    # While no version is ready, a request for the newest may be answered by any version that is still loading.
    if status.state is VersionState.loading or (
        model.pin.version is None
        and model.live is None
        and any(v.state is VersionState.loading for v in model.versions)
    ):
        return ModelLoading(f"{place} is still being loaded; try again in a few seconds")
    ready = _listed(str(known.entry.version) for known in model.versions if known.description is not None)
    code = status.error.code if status.error else "unknown"
    return VersionNotFound(f"{place} could not be loaded ({code}); ready versions: {ready}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

"""The models that are served."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact
from app.errors import InvalidArtifact, ModelLoading, ModelNotFound, TesseraError, VersionNotFound
from app.runtime import RunOptions

DEFAULT = "default"
State = Literal["loading", "ready", "failed"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """A version of a model: loaded, refused with an error, or neither yet."""

    entry: Entry
    artifact: Artifact | None = None
    error: TesseraError | None = None

    @property
    def state(self) -> State:
        """Whether it is served."""
        if self.artifact is not None:
            return "ready"
        return "loading" if self.error is None else "failed"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model's versions, the oldest first, and whether `default` means it."""

    name: str
    versions: tuple[VersionStatus, ...]
    default: bool

    @property
    def newest(self) -> Artifact | None:
        """What is served unless a version is asked for."""
        return next((status.artifact for status in reversed(self.versions) if status.artifact is not None), None)


class ModelCatalogue:
    """The models of a repository, as they were when it was made; all of them are loaded by one call of `load`.

    What cannot be loaded is refused with its reason, and does not keep the others from being served. `default` means
    `default_model`, or else the only model. Reading is possible at any time and from any thread. Each device has a
    copy of its own, which reproduced the golden sample.
    """

    def __init__(
        self,
        repository: ModelRepository,
        devices: Sequence[torch.device],
        default_model: str | None = None,
        options: RunOptions = RunOptions(),  # noqa: B008
    ) -> None:
        self._devices, self._default, self._options = devices, default_model, options
        self._statuses = [VersionStatus(entry) for entry in repository.entries()]
        self._stopped = False

    def load(self) -> None:
        """Loads one version after the other, until all are ready or refused, or `stop` was called."""
        if self._default is not None and all(status.entry.name != self._default for status in self._statuses):
            _log.warning("the default model %r is not in the repository", self._default)
        for number, status in enumerate(self._statuses):
            if self._stopped:
                return
            self._statuses[number] = self._loaded(status)

    def stop(self) -> None:
        """Lets `load` end after the version that it is at."""
        self._stopped = True

    def _loaded(self, status: VersionStatus) -> VersionStatus:
        entry = status.entry
        try:
            artifact = self._load(entry)
        except TesseraError as error:
            _log.error("model %s version %d is refused (%s): %s", entry.name, entry.version, error.code, error)
            return replace(status, error=error)
        except Exception as error:  # files from anywhere: nothing in them may keep the other models from being served
            _log.exception("model %s version %d is refused", entry.name, entry.version)
            return replace(status, error=InvalidArtifact(f"it cannot be loaded ({type(error).__name__}: {error})"))
        model = artifact.model
        _log.info(
            "model %s version %d is ready: %s by %s on %s, %d tiles at once",
            entry.name,
            entry.version,
            model.network.precision,
            model.network.runtime,
            ", ".join(str(each.device) for each in artifact.models),
            model.batch_tiles,
        )
        return replace(status, artifact=artifact)

    def _load(self, entry: Entry) -> Artifact:
        first, *others = (load_artifact(entry, device, self._options) for device in self._devices)
        return replace(first, replicas=tuple(other.model for other in others))

    @property
    def loading(self) -> bool:
        """Whether a version is neither ready nor refused yet."""
        return self.count("loading") > 0

    def count(self, state: State) -> int:
        """How many versions are in this state."""
        return sum(status.state == state for status in self._statuses)

    def models(self) -> list[ServedModel]:
        """All models by name, with all of their versions, refused ones included."""
        return [self._model(name) for name in self._names()]

    def model(self, name: str) -> ServedModel:
        """The model of this name, or the one that `default` means; raises ModelNotFound."""
        meant = self._meant(name)
        if meant not in self._names():
            raise ModelNotFound(f"there is no model {meant!r}; there is: {_listed(self._names())}")
        return self._model(meant)

    def get(self, name: str, version: int | None = None) -> Artifact:
        """A loaded version, by default the newest; raises ModelNotFound, VersionNotFound or ModelLoading."""
        model = self.model(name)
        if version is None:
            return model.newest or self._refuse(model, model.versions[-1])
        status = next((status for status in model.versions if status.entry.version == version), None)
        if status is None:
            numbers = _listed(str(known.entry.version) for known in model.versions)
            raise VersionNotFound(f"model {model.name!r} has no version {version}; there is: {numbers}")
        return status.artifact or self._refuse(model, status)

    def _refuse(self, model: ServedModel, status: VersionStatus) -> Artifact:
        place = f"version {status.entry.version} of model {model.name!r}"
        if any(known.state == "loading" for known in (status, *model.versions)):
            raise ModelLoading(f"{place} is still being loaded; try again in a few seconds")
        ready = _listed(str(known.entry.version) for known in model.versions if known.state == "ready")
        code = status.error.code if status.error else "unknown"
        raise VersionNotFound(f"{place} could not be loaded ({code}); ready is: {ready}")

    def _model(self, name: str) -> ServedModel:
        versions = tuple(status for status in self._statuses if status.entry.name == name)
        return ServedModel(name, versions, default=name == self._default_name())

    def _meant(self, name: str) -> str:
        if name != DEFAULT:
            return name
        meant = self._default_name()
        if meant is None:
            raise ModelNotFound(f"no default model is set; name one of these: {_listed(self._names())}")
        return meant

    def _default_name(self) -> str | None:
        names = self._names()
        if self._default is not None:
            return self._default
        if DEFAULT in names:
            return DEFAULT
        return names[0] if len(names) == 1 else None

    def _names(self) -> list[str]:
        return sorted({status.entry.name for status in self._statuses})


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

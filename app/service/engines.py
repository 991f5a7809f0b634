"""Engines measure blocks of large pictures: by the devices of this process, or in other processes."""

from dataclasses import dataclass
from secrets import token_hex
from typing import Protocol

from app.artifacts import Artifact
from app.errors import VersionNotFound
from app.pipeline import BlockPixels, MeasuredBlock
from app.scheduling import BlockWork, DeviceWorker
from app.scheduling.work import Finished
from app.service.catalogue import ModelCatalogue
from app.service.finished import finished

BLOCKS_PER_LANE = 2
"""The blocks in flight for each lane: one that is measured, and one that is sent meanwhile."""


class Engine(Protocol):
    """Measures blocks of pictures. Lives on one event loop; only `room` may be called from any thread."""

    def room(self, artifact: Artifact) -> int:
        """How many blocks may be in flight, by what `refresh` has learned last; 0: it does not serve the version."""

    async def refresh(self) -> None:
        """Learns how much room there is. Does not raise: an engine that does not answer has no room."""

    async def measure(self, artifact: Artifact, pixels: BlockPixels, *, background: bool) -> Finished[MeasuredBlock]:
        """Measures a block by the version that the artifact is; `background`: see Job.

        Raises DeviceFailed, EngineStopped, InsufficientMemory, ModelLoading, ModelNotFound or VersionNotFound if
        another engine may measure the block, and NotFinite. If the awaiting task is cancelled, the work is dropped.
        """


class WorkerEngine:
    """The devices of this process as an engine."""

    def __init__(self, worker: DeviceWorker) -> None:
        self._worker = worker

    def room(self, artifact: Artifact) -> int:
        """See Engine."""
        return BLOCKS_PER_LANE * sum(self._worker.lanes.values()) if self._worker.healthy else 0

    async def refresh(self) -> None:
        """See Engine."""

    async def measure(self, artifact: Artifact, pixels: BlockPixels, *, background: bool) -> Finished[MeasuredBlock]:
        """See Engine."""
        with self._worker.admit_band() as ticket:
            return await finished(self._worker.run(BlockWork(ticket, artifact.models, pixels, background=background)))


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a model, in every process that serves it.

    digest: see Artifact
    """

    name: str
    version: int
    digest: str

    @classmethod
    def of(cls, artifact: Artifact) -> "ModelVersion":
        """That of an artifact."""
        return cls(artifact.name, artifact.version, artifact.digest)


@dataclass(frozen=True, slots=True)
class EngineState:
    """The state of an engine that serves others.

    id: different for each engine
    room: the blocks that may be in flight; 0: no device works
    digests: those of the versions that are loaded, or are loaded for the first block
    tiles: the number of tiles that it has measured in blocks
    device_s: the device time of these blocks in seconds
    """

    id: str
    room: int
    digests: frozenset[str]
    tiles: int
    device_s: float


class EngineHost:
    """Measures blocks for other processes, by the models of this one. Lives on one event loop."""

    def __init__(self, catalogue: ModelCatalogue, worker: DeviceWorker) -> None:
        self._catalogue, self._worker, self._engine = catalogue, worker, WorkerEngine(worker)
        self._id, self._tiles, self._device_s = token_hex(8), 0, 0.0

    @property
    def state(self) -> EngineState:
        """The current state."""
        statuses = [status for model in self._catalogue.models() for status in model.versions]
        artifacts = [status.artifact for status in statuses if status.artifact is not None]
        room = max((self._engine.room(artifact) for artifact in artifacts), default=0)
        digests = frozenset(status.description.digest for status in statuses if status.description is not None)
        return EngineState(self._id, room, digests, self._tiles, self._device_s)

    async def measure(self, model: ModelVersion, pixels: BlockPixels, *, background: bool) -> Finished[MeasuredBlock]:
        """See Engine. Raises VersionNotFound if the version that is loaded here has other files."""
        artifact = await self._catalogue.loaded(model.name, model.version)
        if artifact.digest != model.digest:
            raise VersionNotFound(
                f"this engine has version {model.version} of model {model.name!r} with the digest {artifact.digest}, "
                f"and {model.digest} is wanted; both processes must read the same repository"
            )
        done = await self._engine.measure(artifact, pixels, background=background)
        self._tiles += pixels.block.plan.count
        self._device_s += done.device_s
        return done

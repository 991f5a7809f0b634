"""The parts of a server, each as the settings say; None where they name none."""

import os
import resource
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from app.admission import Budgets
from app.api.jobs.forms import JOB_FORMS
from app.api.origins import ANY, name_of
from app.artifacts import MirroredRepository, ModelRepository
from app.connections import ConnectionLimits, limit_for
from app.errors import (
    InvalidBucket,
    InvalidJobs,
    InvalidTrainings,
    ModelNotFound,
    UnreadableRepository,
)
from app.jobs import JobLimits, JobPlaces, Jobs
from app.keys import KeyRing, parse_keys
from app.metrics import Metrics
from app.records import VerdictRecord
from app.remote import RemoteFolder
from app.scheduling import Job
from app.service import ModelCatalogue, Reloader
from app.service.fan_out import FanOut, divided_bytes
from app.service.keeping import Keeping, parse_rules
from app.settings import Settings
from app.store import BucketResults, FolderResults, Results
from app.store.kept import Bounds, PictureStore
from app.teaching.proof import parse_serve_rules
from app.trainings import PicturesPlace, Teachings, TrainingLimits, Trainings

FEWEST_DECODE_PROCESSES = 2


def jobs_of(
    settings: Settings, catalogue: ModelCatalogue, budgets: Budgets[Job], fan_out: FanOut, *, divided: bool
) -> Jobs | None:
    """The jobs; None if the settings name no folder for them. Raises InvalidJobs or InvalidBucket.

    divided: whether `fan_out` has engines, so that pictures may take the memory of divided ones
    """
    if settings.jobs_dir is None:
        return None
    limits = JobLimits(
        running=settings.jobs_running,
        per_key=settings.jobs_per_key,
        bytes_per_key=settings.jobs_bytes_per_key,
        free_bytes=settings.jobs_free_bytes,
        expiry_s=settings.jobs_expiry_s,
        lease_s=settings.jobs_lease_s,
    )

    def require_memory(band_bytes: int, pixels: int) -> None:
        budgets.memory.require(band_bytes + (divided_bytes(pixels) if divided else 0), "a band of the picture")

    return Jobs(
        JobPlaces(settings.jobs_dir, settings.jobs_folder, settings.jobs_database),
        limits,
        catalogue,
        require_memory,
        JOB_FORMS,
        fan_out.background,
        results_of(settings),
    )


def trainings_of(settings: Settings, reloader: Reloader) -> Trainings | None:
    """The trainings; None if the settings name no folder for them. Raises InvalidTrainings."""
    if settings.trainings_dir is None:
        return None
    if not isinstance(settings.models_dir, Path):
        raise InvalidTrainings(
            f"trainings_dir is {settings.trainings_dir}, and models_dir is a bucket, to which a server does not write; "
            "name a folder by models_dir, or leave out trainings_dir"
        )
    return Trainings(
        settings.trainings_dir, ModelRepository(settings.models_dir), _training_limits(settings), reloader.reload
    )


def teachings_of(
    settings: Settings, trainings: Trainings | None, pictures: Keeping | None, reloader: Reloader
) -> Teachings | None:
    """The teachings; None without trainings or kept pictures, which they need. Raises InvalidTrainings."""
    if trainings is None or pictures is None:
        return None
    assert settings.trainings_dir is not None and isinstance(settings.models_dir, Path)  # there are trainings
    assert settings.pictures_dir is not None  # there are kept pictures
    return Teachings(
        settings.trainings_dir / "teachings",
        ModelRepository(settings.models_dir),
        pictures.store,
        PicturesPlace(settings.pictures_dir, settings.jobs_database, _bounds(settings)),
        _training_limits(settings),
        reloader.reload,
        most_lost=settings.teach_most_lost,
        rules=parse_serve_rules(settings.teach_serve),
    )


def _training_limits(settings: Settings) -> TrainingLimits:
    return TrainingLimits(settings.training_timeout_s, settings.training_bytes, torch.get_num_threads())


def keeping_of(settings: Settings, request_id: Callable[[], str], metrics: Metrics) -> Keeping | None:
    """What keeps pictures; None if the settings name no folder for them. Raises InvalidPictures or InvalidJobs."""
    if settings.pictures_dir is None:
        return None
    store = picture_store(settings.pictures_dir, settings)
    return Keeping(store, parse_rules(settings.pictures_keep), request_id, metrics)


def picture_store(folder: Path, settings: Settings) -> PictureStore:
    """The kept pictures in a folder. Raises InvalidPictures or InvalidJobs."""
    return PictureStore(folder, settings.jobs_database, _bounds(settings))


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        bytes=settings.pictures_bytes,
        age_s=settings.pictures_age_s,
        reviewed_age_s=settings.pictures_reviewed_age_s,
        free_bytes=settings.pictures_free_bytes,
    )


def results_of(settings: Settings) -> Results | None:
    """Where the results of jobs lie; None: in the folder of jobs. Raises InvalidBucket or InvalidJobs."""
    place = settings.jobs_results
    if place is None:
        return None
    if not isinstance(place, Path):
        return BucketResults(RemoteFolder(place))
    if not place.is_dir():
        raise InvalidJobs(f"{place} (jobs_results) is not a directory; make it, or name another")
    return FolderResults(place)


def require_default(settings: Settings) -> None:
    """Raises ModelNotFound if the repository lacks the model that `default_model` names; and InvalidBucket."""
    wanted = settings.default_model
    if wanted is None:
        return
    repository = repository_of(settings)
    with suppress(UnreadableRepository):  # the catalogue reports it, and tries again
        repository.update()
        if not repository.versions(wanted):
            known = ", ".join(name for name in repository.names() if repository.versions(name)) or "none"
            raise ModelNotFound(
                f"default_model is {wanted!r}, and {repository.place} has no such model; available: {known}"
            )


def repository_of(settings: Settings) -> ModelRepository:
    """The models of a directory or of a bucket; raises InvalidBucket."""
    place = settings.models_dir
    if isinstance(place, Path):
        return ModelRepository(place)
    return MirroredRepository(
        RemoteFolder(place), settings.models_cache or _user_cache() / "tessera/models", settings.models_cache_bytes
    )


def _user_cache() -> Path:
    """The directory for files that can be fetched again (XDG Base Directory Specification)."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:
        raise InvalidBucket("this user has no home, and so no cache; name a folder by models_cache") from error


def verdict_record(settings: Settings, metrics: Metrics) -> VerdictRecord | None:
    """The record of verdicts; None if the settings name none. Raises InvalidRecord."""
    if settings.verdict_record is None:
        return None
    record = VerdictRecord(
        settings.verdict_record, settings.verdict_record_bytes, settings.verdict_record_files, metrics.lines_recorded
    )
    metrics.watch_record(lambda: record.waiting)
    return record


def allowed_hosts(settings: Settings, origins: Sequence[str]) -> list[str]:
    """The names by which clients may reach the server, apart from addresses and names without a dot; `*`: any.

    By default a server on a loopback address knows the names of `origins` only, so that no site can use it under a name
    of its own (DNS rebinding). Proxies on the same machine that pass on the client's `Host`, such as Caddy, need the
    setting: their requests look the same.
    """
    if settings.allowed_hosts:
        return [host.strip() for host in settings.allowed_hosts.split(",")]
    return [name_of(origin.partition("//")[2]) for origin in origins] if is_loopback(settings.host) else [ANY]


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach a server that listens on this address."""
    return host in ("localhost", "::1") or host.startswith("127.")


def key_ring(settings: Settings) -> KeyRing | None:
    """The API keys of the settings; None: the settings have none, and requests need none. Raises InvalidKeys."""
    if settings.keys_file is None and not settings.api_keys:
        return None
    return KeyRing(settings.keys_file, parse_keys(settings.api_keys, "api_keys") if settings.api_keys else [])


def decode_processes(devices: Sequence[torch.device], processors: int) -> int:
    """The number of processes that decode: two if a CPU computes.

    If only GPUs compute, decoding limits the throughput: then all processors except one per GPU and one for the event
    loop, at least two.
    """
    gpus = sum(device.type == "cuda" for device in devices)
    return FEWEST_DECODE_PROCESSES if gpus < len(devices) else max(FEWEST_DECODE_PROCESSES, processors - gpus - 1)


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits of connections: those of the settings, or fewer connections if the process may open fewer files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ConnectionLimits(
        limit_for(settings.max_connections, files - psutil.Process().num_fds()),
        settings.head_timeout_s,
        settings.stall_timeout_s,
        settings.least_bytes_per_s,
    )

"""What a process does before it serves, whether by itself or as a replica on a cluster."""

import logging
from pathlib import Path

from fastapi import FastAPI

from app.api import Replicas
from app.application import build_app
from app.errors import (
    CannotServe,
    InvalidBucket,
    InvalidDevice,
    InvalidJobs,
    InvalidKeys,
    InvalidPictures,
    InvalidRecord,
    InvalidSink,
    InvalidTrainings,
    ModelNotFound,
)
from app.heap import exempt_from_collection, share_one_heap
from app.keys import KeyRing
from app.logs import JsonFormatter, TextFormatter
from app.parts import is_loopback, require_default
from app.service.fan_out import Engines
from app.settings import Settings, unknown_variables
from app.traces import MISSING

UNUSABLE = (
    *(InvalidBucket, InvalidDevice, InvalidJobs, InvalidKeys, InvalidPictures, InvalidRecord, InvalidSink),
    *(InvalidTrainings, ModelNotFound),
)
"""Errors of settings with which no server can start."""

_log = logging.getLogger("tessera")


def set_up_process(settings: Settings) -> None:
    """Sets up the heap and the log of a process that computes."""
    share_one_heap()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])


def start(settings: Settings, replicas: Replicas | None = None, engines: Engines = Engines()) -> FastAPI:  # noqa: B008
    """The application, after the process was set up for it and the settings were checked. Raises CannotServe.

    replicas: all replicas of the application; None: this process serves by itself
    engines: those of other processes that measure blocks of large pictures
    """
    set_up_process(settings)
    for name in unknown_variables():
        _log.warning("the environment variable %s is not a setting of this server, and is ignored", name)
    if isinstance(settings.models_dir, Path) and not settings.models_dir.is_dir():
        raise CannotServe(f"models_dir {settings.models_dir} is not a directory; make it, or name another")
    try:
        require_default(settings)
        return build_app(settings, replicas, engines)
    except UNUSABLE as error:
        raise CannotServe(str(error)) from error
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("opentelemetry"):
            raise
        raise CannotServe(MISSING) from error


def finish_start(settings: Settings, app: FastAPI) -> None:
    """The last steps before the first request. Call it before a model is loaded."""
    warn_of_access(settings, app.state.services.keys)
    app.state.document(settings.root_path)  # made now, because that takes a quarter of a second
    exempt_from_collection()


def warn_of_access(settings: Settings, keys: KeyRing | None) -> None:
    """Warns if other machines reach the server and nobody needs a key, or if nobody has a valid one."""
    if keys is None:
        if not is_loopback(settings.host):
            _log.warning(
                "the server has no API keys: everybody who reaches %s may use it and change its models; make a key "
                "with `tessera keys new`, and name the file by keys_file",
                settings.host,
            )
    elif not any(not keys.is_expired(key) for key in keys.keys):
        _log.warning("the server has no valid API key: it refuses all requests but probes; see `tessera keys list`")

"""Runs the application as a server of its own."""

import logging
from pathlib import Path
from typing import NoReturn

from app.application import build_app, is_loopback, require_default
from app.ending import Ending, leave
from app.errors import (
    InvalidBucket,
    InvalidDevice,
    InvalidJobs,
    InvalidKeys,
    InvalidRecord,
    InvalidSink,
    ModelNotFound,
)
from app.heap import exempt_from_collection, share_one_heap
from app.keys import KeyRing
from app.logs import JsonFormatter, TextFormatter
from app.server import Server, listen
from app.settings import Settings, unknown_variables
from app.traces import MISSING

_log = logging.getLogger("tessera")


def serve(settings: Settings) -> NoReturn:
    """Serves until SIGTERM or SIGINT, and ends the process with an ExitStatus.

    Raises SystemExit with the reason if it cannot serve.
    """
    share_one_heap()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    for name in unknown_variables():
        _log.warning("the environment variable %s is not a setting of this server, and is ignored", name)
    if isinstance(settings.models_dir, Path) and not settings.models_dir.is_dir():
        raise SystemExit(f"tessera: models_dir {settings.models_dir} is not a directory; make it, or name another")
    try:
        require_default(settings)
        app = build_app(settings)
    except (
        InvalidBucket,
        InvalidDevice,
        InvalidJobs,
        InvalidKeys,
        InvalidRecord,
        InvalidSink,
        ModelNotFound,
    ) as error:
        raise SystemExit(f"tessera: {error}") from error
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("opentelemetry"):
            raise
        raise SystemExit(f"tessera: {MISSING}") from error
    with listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        _log.info("serving %s on http://%s:%d, described at /docs", settings.models_dir, settings.host, port)
        warn_of_access(settings, app.state.services.keys)
        server = Server(app, settings)
        server.ending = Ending(lambda: server.status)
        app.state.document(settings.root_path)  # made now, because that takes a quarter of a second
        exempt_from_collection()
        server.run(sockets=[listener])
    leave(server.status)


def warn_of_access(settings: Settings, keys: KeyRing | None) -> None:
    """Warns if other machines reach the server and nobody needs a key, or if nobody has a valid one."""
    if keys is None:
        if not is_loopback(settings.host):
            _log.warning(
                "the server has no API keys: everybody who reaches %s may use it and reload its models; make a key "
                "with `tessera keys new`, and name the file by keys_file",
                settings.host,
            )
    elif not any(not keys.is_expired(key) for key in keys.keys):
        _log.warning("the server has no valid API key: it refuses all requests but probes; see `tessera keys list`")

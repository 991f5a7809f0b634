"""Runs the application as a server of its own."""

import logging
from typing import NoReturn

from app.ending import Ending, leave
from app.errors import CannotServe
from app.server import Server, listen
from app.settings import Settings
from app.starting import finish_start, start

_log = logging.getLogger("tessera")


def serve(settings: Settings) -> NoReturn:
    """Serves until SIGTERM or SIGINT, and ends the process with an ExitStatus.

    Raises SystemExit with the reason if it cannot serve.
    """
    try:
        app = start(settings)
    except CannotServe as error:
        raise SystemExit(f"tessera: {error}") from error
    with listen(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        _log.info("serving %s on http://%s:%d, described at /docs", settings.models_dir, settings.host, port)
        server = Server(app, settings)
        server.ending = Ending(lambda: server.status)
        finish_start(settings, app)
        server.run(sockets=[listener])
    leave(server.status)

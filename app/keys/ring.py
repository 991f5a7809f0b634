"""The keys of a running server."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path
from threading import Event, Thread

from app.errors import InvalidKeys
from app.keys.file import content_of, parse_keys
from app.keys.key import ApiKey, digest_of

INTERVAL_S = 1.0
"""The time between two readings of the file: a revoked key is refused this soon."""

_log = logging.getLogger("tessera.keys")


def _now() -> datetime:
    return datetime.now(UTC)


class KeyRing:
    """The keys of a file, which is read again when it changes, and `fixed` ones. Any thread may call any method.

    The whole content is compared: times of files are too coarse to show each change, and the file is small. A file that
    is missing or damaged leaves the last good keys valid, and is reported in the log. At the start it raises
    InvalidKeys: a server must not start without the keys that it was given.
    """

    def __init__(self, path: Path | None, fixed: Sequence[ApiKey] = (), clock: Callable[[], datetime] = _now) -> None:
        self._path, self._fixed, self._clock = path, tuple(fixed), clock
        self._content = b"" if path is None else content_of(path)
        self._keys = self._fixed if path is None else self._all(path, self._content)
        self._problem = ""
        self._stopped = Event()
        self._thread = Thread(target=self._follow, name="tessera-keys", daemon=True)

    @property
    def keys(self) -> Sequence[ApiKey]:
        return self._keys

    def find(self, secret: str) -> ApiKey | None:
        """The key with this secret, also if it has expired; None: there is none.

        The time does not depend on how much of a digest is equal, nor on which key is found.
        """
        digest, found = digest_of(secret), None
        for key in self._keys:
            if compare_digest(key.digest, digest):
                found = key
        return found

    def is_expired(self, key: ApiKey) -> bool:
        return key.is_expired(self._clock())

    def refresh(self) -> None:
        """Reads the file again; never raises InvalidKeys."""
        if self._path is None:
            return
        try:
            content = content_of(self._path)
            if content == self._content and not self._problem:
                return
            self._keys = self._all(self._path, content)
        except InvalidKeys as error:
            if str(error) != self._problem:
                _log.error(
                    "%s; the %d keys that were read before stay valid, and none is revoked, until it can be read: "
                    "let the user of the server read it, or put back a good copy",
                    error,
                    len(self._keys),
                )
            self._problem = str(error)
            return
        if content != self._content:
            _log.info("%s has changed: %d keys are valid", self._path, self._valid())
        else:
            _log.info("%s can be read again", self._path)
        self._content, self._problem = content, ""

    def start(self) -> None:
        """Starts to follow the file."""
        if self._path is not None:
            self._thread.start()

    def stop(self) -> None:
        """Stops to follow the file."""
        self._stopped.set()

    def _follow(self) -> None:
        while not self._stopped.wait(INTERVAL_S):
            try:
                self.refresh()
            except Exception:  # the thread must live on: it is what revokes keys
                _log.exception("%s could not be followed", self._path)

    def _all(self, path: Path, content: bytes) -> tuple[ApiKey, ...]:
        return (*self._fixed, *parse_keys(content, str(path)))

    def _valid(self) -> int:
        return sum(not self.is_expired(key) for key in self._keys)

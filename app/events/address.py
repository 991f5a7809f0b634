"""Addresses of sinks, as settings give them."""

import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import Self
from urllib.parse import SplitResult, parse_qsl, urlsplit

from app.errors import InvalidSink
from app.events.folder import FolderSink, require_writable
from app.events.mqtt import MqttSink
from app.events.signature import Keys
from app.events.sink import Sink
from app.events.tls import client_context
from app.events.webhook import WebhookSink

EXAMPLES = (
    "https://mes.example/verdicts#secret_file=FILE, mqtts://user@broker.example/line3/verdicts#password_file=FILE, "
    "folder:/var/lib/verdicts"
)


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a sink: a URL whose fragment holds options, which are never sent.

    `KEY_file=FILE` reads a secret from a file, and `KEY_env=NAME` from the environment.
    """

    url: SplitResult
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an address. Raises InvalidSink if it is none, also for unusable options."""
        try:
            url = urlsplit(text)
            _ = url.port
            options = dict(parse_qsl(url.fragment, keep_blank_values=True, strict_parsing=bool(url.fragment)))
        except ValueError as error:
            raise InvalidSink(
                f"the sink {_without_password(text)!r} is no address: {error}; give {EXAMPLES}"
            ) from error
        if url.scheme not in KINDS:
            raise InvalidSink(f"the sink {_without_password(text)!r} is of no known kind; give {EXAMPLES}")
        if url.password is not None:
            raise InvalidSink(
                f"the sink {_without_password(text)!r} has a password in its address, where processes and logs show "
                "it; give it by #password_file=FILE or #password_env=NAME"
            )
        known = KINDS[url.scheme][1]
        for name in options:
            if name not in known:
                raise InvalidSink(
                    f"sinks {url.scheme}: have no option {name!r}; they have {', '.join(known) or 'none'}"
                )
        return cls(url, options)

    @property
    def key(self) -> str:
        """Names the queue of this sink; the same after a change of options."""
        place = f"{self.url.scheme}:{self.url.netloc}{self.url.path}?{self.url.query}"
        return f"{self.url.scheme}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"

    @property
    def name(self) -> str:
        """Names the sink in logs and metrics, with its port. The path of a URL may hold a secret; its digest stands for
        it.
        """
        place = self.url.netloc.rpartition("@")[2].lower()
        return f"{self.url.scheme}:{f'{place}/{self.key[-4:]}' if place else self.url.path}"

    def sink(self) -> Sink:
        """The sink. Creates nothing. Raises InvalidSink if it cannot work, such as without its secret."""
        return KINDS[self.url.scheme][0](self)

    def secret(self, option: str) -> Callable[[], str] | None:
        """Reads the secret `option` each time, so that it may change; None: none is given."""
        if file := self.options.get(f"{option}_file"):
            return lambda: Path(file).read_text()
        if name := self.options.get(f"{option}_env"):
            return lambda: os.environ[name]
        return None


def sinks_of(text: str) -> dict[str, Sink]:
    """The sinks of a setting by the names of their queues. Raises InvalidSink if any of them cannot work.

    Nothing is created, so that a wrong sink leaves no queue or folder of the others behind.
    """
    return {address.key: address.sink() for address in parse_addresses(text)}


def parse_addresses(text: str) -> list[Address]:
    """The addresses of a setting, with commas between them. Raises InvalidSink."""
    found = [Address.parse(each.strip()) for each in text.split(",") if each.strip()]
    keys = [each.key for each in found]
    for address in found:
        if keys.count(address.key) > 1:
            raise InvalidSink(f"the sink {address.name} is given twice")
    return found


def _webhook(address: Address) -> Sink:
    if not address.url.hostname:
        raise InvalidSink(f"the webhook has no host; give one of {EXAMPLES}")
    secret = address.secret("secret")
    if secret is None:
        raise InvalidSink(
            f"the webhook {address.name} has no secret to sign with; give #secret_file=FILE or #secret_env=NAME; "
            'make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
    keys = Keys(secret)
    try:
        keys.read()
    except InvalidSink as error:
        raise InvalidSink(f"the webhook {address.name}: {error}") from error
    context = client_context(address.options.get("ca_file")) if address.url.scheme == "https" else None
    return WebhookSink(address.name, address.url, keys, context)


def _mqtt(address: Address) -> Sink:
    topic = address.url.path.removeprefix("/")
    if not address.url.hostname or not topic or set(topic) & set("+#\0"):
        raise InvalidSink(f"MQTT needs a broker and a topic without wildcards; give one of {EXAMPLES}")
    context = client_context(address.options.get("ca_file")) if address.url.scheme == "mqtts" else None
    password = address.secret("password")
    try:
        if password is not None:
            password()
    except KeyError as error:
        raise InvalidSink(
            f"the sink {address.name}: the environment variable {error}, which holds the password, is not set"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSink(f"the sink {address.name}: the password cannot be read: {error}") from error
    return MqttSink(address.name, address.url, topic, password, f"tessera-{address.key}", context)


def _folder(address: Address) -> Sink:
    if address.url.netloc or not address.url.path:
        raise InvalidSink("a folder is given by its path, such as folder:/var/lib/verdicts")
    folder = Path(address.url.path)
    for place in (folder, *folder.parents):
        with suppress(OSError):
            if not S_ISDIR(place.stat().st_mode):
                raise InvalidSink(f"the sink {address.name}: {place} is not a directory; name another folder")
    try:
        require_writable(folder)
    except OSError as error:
        if error.errno in _REFUSALS:  # others pass: a share is away, or a disk is full, and the events wait for it
            raise InvalidSink(
                f"the sink {address.name} cannot be written: {error.strerror}; let the server's user write to {folder} "
                "(make it, or mount its disk, if it is not there), or name another folder"
            ) from error
    return FolderSink(address.name, folder)


_REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
"""Errors that last: time does not mend them."""


_SECRET, _PASSWORD = ("secret_file", "secret_env"), ("password_file", "password_env")
KINDS: dict[str, tuple[Callable[[Address], Sink], tuple[str, ...]]] = {
    "http": (_webhook, _SECRET),
    "https": (_webhook, (*_SECRET, "ca_file")),
    "mqtt": (_mqtt, _PASSWORD),
    "mqtts": (_mqtt, (*_PASSWORD, "ca_file")),
    "folder": (_folder, ()),
}
"""For each scheme: what makes the sink, and the options that it has."""


def _without_password(text: str) -> str:
    before, at, after = text.partition("@")
    scheme, slashes, user = before.partition("//")
    return f"{scheme}{slashes}{user.partition(':')[0]}{at}{after}" if at else text

"""A key, what it allows, and how its secret is made and compared."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from secrets import token_urlsafe

PREFIX = "tessera_"
"""The start of each secret, by which programs that search files for secrets can find it."""
SECRET_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of keys: no character that could break a line of the log."""


class Scope(StrEnum):
    """What a key allows.

    predict: predicts, and reads models and metrics
    review: also reads kept pictures, and reviews them
    admin: everything
    """

    predict = "predict"
    review = "review"
    admin = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret.

    name: who uses it; several keys may have one name, so that one can replace another
    digest: the SHA-256 of the secret
    expires: when it stops being valid; None: never
    tiles_per_s: the tiles that its requests may compute in a second; None: no limit
    """

    name: str
    scope: Scope
    digest: bytes
    created: datetime
    expires: datetime | None = None
    tiles_per_s: float | None = None

    @property
    def id(self) -> str:
        """Identifies the key among those of one name: the start of its digest."""
        return self.digest.hex()[:8]

    def allows(self, scope: Scope) -> bool:
        return self.scope is Scope.admin or scope is self.scope or (self.scope, scope) == (Scope.review, Scope.predict)

    def is_expired(self, now: datetime) -> bool:
        return self.expires is not None and now >= self.expires


def new_secret() -> str:
    """A random secret of 256 bits, in characters that every HTTP header may have (RFC 6750, section 2.1)."""
    return PREFIX + token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> bytes:
    """The SHA-256 of a secret.

    Slow hashes protect passwords, which can be guessed. Nobody can guess 256 random bits, so that one SHA-256 is as
    safe, and a request with a wrong key costs the server microseconds.
    """
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()

"""Signatures of webhooks, by the scheme of Standard Webhooks (https://www.standardwebhooks.com, version 1.0.0)."""

import base64
import binascii
import hmac
from collections.abc import Callable
from hashlib import sha256

from app.errors import InvalidSink
from app.events.event import Event

PREFIX = "whsec_"
FEWEST_BYTES = 24


class Keys:
    """The keys that sign. `secret` returns them as text, one in each line: `whsec_` and base64.

    They are read for each event, so that a file of secrets may change while the server runs. While receivers move from
    one secret to the next, give both: each event is then signed with both.
    """

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def read(self) -> list[bytes]:
        """The keys. Raises InvalidSink if there is none, or one that cannot be used."""
        try:
            lines = self._secret().split()
        except KeyError as error:
            raise InvalidSink(
                f"the environment variable {error}, which holds the webhook's secret, is not set"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSink(f"the webhook's secret cannot be read: {error}") from error
        if not lines:
            raise InvalidSink("the webhook's secret is empty; give whsec_ and at least 24 bytes in base64")
        return [_key(line) for line in lines]

    def headers(self, event: Event, timestamp: int) -> dict[str, str]:
        """The headers that identify and sign an event, which is sent at `timestamp` (seconds since 1970)."""
        signed = f"{event.id}.{timestamp}.".encode() + event.body
        signatures = [base64.b64encode(hmac.digest(key, signed, sha256)).decode() for key in self.read()]
        return {
            "webhook-id": event.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
        }


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise InvalidSink(f"the webhook's secret is not in base64: {error}") from error
    if len(key) < FEWEST_BYTES:
        raise InvalidSink(f"the webhook's secret has {len(key)} bytes; take at least {FEWEST_BYTES}")
    return key

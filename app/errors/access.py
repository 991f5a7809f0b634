"""Errors of access: API keys."""

from app.errors.base import TesseraError


class InvalidKeys(TesseraError):
    """The file of API keys cannot be used."""

    code = "invalid_keys"


class AccessDenied(TesseraError):
    """The request has no key that allows it.

    challenge: the parameters of the header `WWW-Authenticate`
    """

    code = "access_denied"
    status = 401

    def __init__(self, message: str, **challenge: str) -> None:
        super().__init__(message)
        self.challenge = {"realm": "tessera"} | challenge


class KeyRequired(AccessDenied):
    """The request has no API key."""

    code = "key_required"
    when = "the server has API keys, and the request has no header `Authorization: Bearer KEY`"
    example = "send an API key in the header Authorization, as `Bearer KEY`"


class InvalidKey(AccessDenied):
    """The API key is not valid."""

    code = "invalid_key"
    when = "the server does not know the API key, or the key was revoked or has expired"
    example = "the server does not know this API key; it may have been revoked"


class InsufficientScope(AccessDenied):
    """The API key does not allow this."""

    code = "insufficient_scope"
    status = 403
    when = "the API key does not have the scope that the operation needs"
    example = "the key 'camera-3' has the scope predict, and this needs admin"

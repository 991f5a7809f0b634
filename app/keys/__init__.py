"""API keys: who may use a server, and for what."""

from app.keys.file import MAX_BYTES, parse_keys, read_keys, write_keys
from app.keys.key import NAME, ApiKey, Scope, digest_of, new_secret
from app.keys.ring import KeyRing

__all__ = [
    "MAX_BYTES",
    "NAME",
    "ApiKey",
    "KeyRing",
    "Scope",
    "digest_of",
    "new_secret",
    "parse_keys",
    "read_keys",
    "write_keys",
]

"""The dependencies that require an API key of a request.

A dependency of a router is part of the contract, and each router shows what it needs. It runs before everything else
that a route needs, so that a request without a key costs nothing: its body is not read.
"""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.types import Scope as RequestScope

from app.errors import InsufficientScope, InvalidKey, KeyRequired
from app.keys import ApiKey, KeyRing, Scope

SCHEME = "ApiKey"
SERVER = "tessera serve"
"""The name in the history of requests without an API key."""
_KEY = "tessera.key"
_bearer = HTTPBearer(
    scheme_name=SCHEME,
    description="An API key, as `Authorization: Bearer KEY` (RFC 6750). `tessera keys new` makes one. A server without "
    "keys ignores the header.",
    auto_error=False,
)


def key_of(scope: RequestScope) -> ApiKey | None:
    """The key of a request; None: the server has no keys, the route needs none, or the request had no known key.

    It is also that of a request which the key does not allow, or no longer: the log names it. Routes run with keys that
    allow them only.
    """
    found: ApiKey | None = scope.get(_KEY)
    return found


def user_of(scope: RequestScope) -> str:
    """Who makes a change, for the history: the name of the key of a request, or SERVER."""
    key = key_of(scope)
    return SERVER if key is None else key.name


async def _require_key(
    request: Request,
    needed: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> None:
    """Raises AccessDenied unless the request has a key with the scope, or the server has no keys."""
    ring: KeyRing | None = request.app.state.services.keys
    if ring is None:
        return
    if credentials is None:
        raise KeyRequired("send an API key in the header Authorization, as `Bearer KEY`; `tessera keys new` makes one")
    if len(request.headers.getlist("Authorization")) > 1:
        raise _invalid("the request has several headers Authorization; send one")
    key = ring.find(credentials.credentials)
    if key is None:
        raise _invalid("the server does not know this API key; it may have been revoked")
    request.scope[_KEY] = key
    if ring.is_expired(key):
        raise _invalid(f"the key {key.name!r} ({key.id}) has expired; ask for a new one")
    for scope in map(Scope, needed.scopes):
        if not key.allows(scope):
            raise InsufficientScope(
                f"the key {key.name!r} has the scope {key.scope}, and this needs {scope}",
                error="insufficient_scope",
                scope=scope.value,
            )


def _invalid(message: str) -> InvalidKey:
    return InvalidKey(message, error="invalid_token")


PREDICT: Any = Security(_require_key, scopes=[Scope.predict.value])
"""For routes that predict, or that read models or metrics."""
REVIEW: Any = Security(_require_key, scopes=[Scope.review.value])
"""For routes that read kept pictures, or change their reviews."""
ADMIN: Any = Security(_require_key, scopes=[Scope.admin.value])
"""For routes that change what the server does."""

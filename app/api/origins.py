"""Refuses requests that pages of other sites make a browser send.

A browser sends a POST without asking first if its headers are simple, and its page need not see the answer to cost the
server a prediction or a reload. And a page can point a name of its own at a loopback address (DNS rebinding); for the
browser, the server then belongs to the page.
"""

from collections.abc import Collection
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.problems import on_tessera_error
from app.errors import CrossSite, TesseraError, UnknownHost
from app.shown import shown

ANY = "*"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and compute little."""


class Origins:
    """Answers with CrossSite or UnknownHost where a request should not reach the application.

    CrossSite: a method that is not in SAFE, from a page of another origin that is not in `origins`. `Sec-Fetch-Site`
    decides. Browsers that do not send it, as to servers without TLS, send `Origin`, whose name must be that of `Host`
    or `X-Forwarded-Host`. Ports are not compared, because some proxies leave them out. A page cannot set any of these
    headers in a simple request. Clients that are not browsers send neither, and are not refused.

    UnknownHost: a `Host` that a site of the internet can have, and that is not in `hosts`. Addresses, and names without
    a dot or below `localhost`, are accepted, because no site can make these its own.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], hosts: Collection[str]) -> None:
        self._app = app
        self._origins = {origin.lower() for origin in origins}
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (error := self._refusal(scope["method"], Headers(scope=scope))):
            response = await on_tessera_error(Request(scope), error)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> TesseraError | None:
        host = headers.get("host", "")
        if ANY not in self._hosts and not (is_local(name_of(host)) or name_of(host) in self._hosts):
            return UnknownHost(
                f"the server does not know the host {shown(host)}; use its address, or add the name to the server's "
                "allowed_hosts"
            )
        if method not in SAFE and ANY not in self._origins and self._is_foreign(headers):
            return CrossSite(
                f"the request comes from a page of another origin, {shown(headers.get('origin', ''))}; "
                "add the origin to the server's cors_origins if its pages may use the server"
            )
        return None

    def _is_foreign(self, headers: Headers) -> bool:
        origin, site = headers.get("origin", "").lower(), headers.get("sec-fetch-site")
        if origin in self._origins:
            return False
        if site is not None:
            return site not in ("same-origin", "none")
        own = [headers.get("host", ""), *headers.get("x-forwarded-host", "").split(",")]
        names = {name_of(each.strip()) for each in own} - {""}
        return bool(origin) and name_of(origin.partition("//")[2]) not in names


def is_local(name: str) -> bool:
    """Whether no site of the internet can have this name: an address, one label, or a name below `localhost`."""
    with suppress(ValueError):
        ip_address(name)
        return True
    return "." not in name or name.endswith(".localhost")


def name_of(authority: str) -> str:
    """The name or address in an authority such as `plant.example:8000`, in lower case; `.` if there is none."""
    try:
        return urlsplit(f"//{authority}").hostname or ("." if authority else "")
    except ValueError:
        return "."

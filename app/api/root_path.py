"""Support for a proxy's prefix, such as that of `https://plant.example/tessera`."""

from starlette.types import ASGIApp, Receive, Scope, Send

_KEY = "tessera.root_path"


class RootPath:
    """Makes every path start with the prefix, as ASGI requires, whether the proxy has stripped the prefix or not.

    If the prefix is empty, the `root_path` of an application that mounts this one remains.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            prefix, path = self._root_path, scope["path"]
            if prefix:
                within = path == prefix or path.startswith(f"{prefix}/")
                scope["root_path"], scope["path"] = prefix, path if within else prefix + path
            scope[_KEY] = scope.get("root_path", "")  # Starlette extends `root_path` for mounts, so keep the original
        await self._app(scope, receive, send)


def root_path(scope: Scope) -> str:
    """The prefix of a request that passed `RootPath`: empty, or like `/tessera`."""
    return str(scope[_KEY])


def own_path(scope: Scope) -> str:
    """The path without the prefix."""
    return str(scope["path"]).removeprefix(root_path(scope))

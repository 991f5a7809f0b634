"""Being served under a proxy's prefix, such as `https://plant.example/tessera`."""

from starlette.types import ASGIApp, Receive, Scope, Send

_KEY = "tessera.root_path"


class RootPath:
    """Has every path begin with the prefix, as ASGI wants it, whether the proxy has stripped it or not.

    An empty prefix leaves the one of whoever mounts the application.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            prefix, path = self._root_path, scope["path"]
            if prefix:
                within = path == prefix or path.startswith(f"{prefix}/")
                scope["root_path"], scope["path"] = prefix, path if within else prefix + path
            scope[_KEY] = scope.get("root_path", "")  # mounts extend `root_path`
        await self._app(scope, receive, send)


def root_path(scope: Scope) -> str:
    """The prefix of a request that came through `RootPath`: empty, or like `/tessera`."""
    return str(scope[_KEY])


def own_path(scope: Scope) -> str:
    """The path without the prefix."""
    return str(scope["path"]).removeprefix(root_path(scope))

"""Cancels requests whose clients have disconnected."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.admission import is_probe


class Disconnects:
    """Cancels the handler of a request if its client disconnects after sending the body and before the response ends.

    ASGI servers report a disconnect only through `receive()`. They also report one after the whole response was sent,
    while the handler still closes its files; then the handler is not cancelled. Probes are answered at once, so that
    there is nothing to cancel, and watching would delay them by turns of the event loop.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_probe(scope):
            await self._app(scope, receive, send)
            return
        body_read, gone, answered = asyncio.Event(), asyncio.Event(), False

        async def receive_body() -> Message:
            if body_read.is_set():
                await gone.wait()
                return {"type": "http.disconnect"}
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                body_read.set()
            return message

        async def send_and_see(message: Message) -> None:
            nonlocal answered
            answered = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        async def watch() -> None:
            await body_read.wait()
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        handler = asyncio.ensure_future(self._app(scope, receive_body, send_and_see))
        watcher = asyncio.ensure_future(watch())
        try:
            await asyncio.wait((handler, watcher), return_when=asyncio.FIRST_COMPLETED)
            if answered:
                await asyncio.wait((handler,))
        finally:
            watcher.cancel()
            left = gone.is_set() and not answered and not handler.done()
            handler.cancel()
        try:
            await handler
        except asyncio.CancelledError:
            if not left:
                raise

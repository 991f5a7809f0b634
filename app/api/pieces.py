"""Sends large response bodies in pieces."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE_BYTES = 2**17


class Pieces:
    """Sends each body in pieces of 128 KiB, so that the request is not over before its client has read nearly all.

    The ASGI server keeps what the client has not read. It makes the application wait before a message, not after it.
    Without pieces a request would be over, and no longer counted, while a slow client's whole response is in memory.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if message["type"] != "http.response.body" or len(body) <= PIECE_BYTES:
                await send(message)
                return
            for start in range(0, len(body), PIECE_BYTES):
                more = message.get("more_body", False) or start + PIECE_BYTES < len(body)
                await send({**message, "body": body[start : start + PIECE_BYTES], "more_body": more})

        await self._app(scope, receive, send_pieces)

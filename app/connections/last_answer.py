"""The last bytes that a connection sends."""

from http import HTTPStatus

from starlette.responses import Response


def last_answer(response: Response, *, is_head: bool = False) -> bytes:
    """The response as bytes of HTTP/1.1, which announce the end of the connection.

    Many connections end in one turn of the event loop, so that a state machine for each would take too long.

    is_head: whether the request has the method HEAD, whose responses have no body
    """
    lines = [f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()]
    lines += [b"%s: %s" % header for header in response.raw_headers]
    lines += [b"connection: close", b"", b"" if is_head else bytes(response.body)]
    return b"\r\n".join(lines)

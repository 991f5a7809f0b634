"""This project's checks for schemathesis, which loads this file by its path."""

from typing import Any

import schemathesis  # type: ignore[import-not-found]  # in an environment of its own


@schemathesis.check  # type: ignore[untyped-decorator]
def status_504_needs_a_time_limit(_: object, response: Any, case: Any) -> None:
    """Only requests with a time limit may get 504: the contract allows time limits that are too short to be met."""
    assert response.status_code != 504 or "X-Request-Timeout" in case.headers, "504 without X-Request-Timeout"


@schemathesis.serializer("application/offset+octet-stream")  # type: ignore[untyped-decorator]
def part_of_an_upload(_: object, value: Any) -> bytes:
    """A part of an upload, as it is."""
    return value if isinstance(value, bytes) else bytes(getattr(value, "data", b""))

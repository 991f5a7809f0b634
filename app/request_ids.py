"""The identifier of a request, and how it is chosen. Imports nothing, because proxies of a cluster use it, too."""

import re
from uuid import uuid4

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")  # no character that could break a line of the log
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""A valid `traceparent` (W3C Trace Context, section 3.2)."""


def choose_id(given: str, traceparent: str) -> str:
    """The client's `X-Request-ID` if it is valid, else the trace ID of a valid `traceparent`, else a new one."""
    trace = _TRACE.fullmatch(traceparent)
    return given if _GIVEN.fullmatch(given) else trace[1] if trace else uuid4().hex

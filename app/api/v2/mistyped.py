"""Refuses mistyped parameters, which would have no effect."""

from collections.abc import Collection

from app.api.v2.invalid import invalid
from app.api.v2.schemas.inference import Parameters
from app.similar import nearest

NEARLY = 0.8
"""The least similarity of a name that is probably mistyped."""


def refuse_mistyped(parameters: Parameters, known: Collection[str]) -> None:
    """Raises HTTPException for a name that is nearly a known one.

    The protocol allows clients to send other parameters that a server does not know; they are ignored.
    """
    for name in parameters:
        close = nearest(name, known, NEARLY)
        if close is not None and name not in known:
            raise invalid(f"there is no parameter {name[:100]!r}; did you mean {close!r}?")

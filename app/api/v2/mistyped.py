"""Refuses mistyped parameters, which would have no effect."""

from collections.abc import Collection

from app.api.v2.invalid import invalid
from app.api.v2.schemas.inference import Parameters
from app.similar import nearest

NEARLY = 0.8
"""The least similarity of a name that is probably mistyped."""
MOST_PARAMETERS = 32
"""The most parameters of a request, an input or an output: finding the nearest names takes time."""


def refuse_mistyped(parameters: Parameters, known: Collection[str]) -> None:
    """Raises HTTPException for a name that is nearly a known one.

    The protocol allows clients to send other parameters that a server does not know; they are ignored.
    """
    if len(parameters) > MOST_PARAMETERS:
        raise invalid(f"there are {len(parameters):,} parameters; send at most {MOST_PARAMETERS} in one place")
    for name in parameters:
        close = nearest(name, known, NEARLY)
        if close is not None and name not in known:
            raise invalid(f"there is no parameter {name[:100]!r}; did you mean {close!r}?")

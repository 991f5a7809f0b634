"""How long an answer is waited for."""

from app.api.dependencies import LONGEST_S
from app.api.v2.invalid import invalid
from app.api.v2.schemas.inference import Parameters

_PER_S = 1_000_000


def time_limit(parameters: Parameters, header_s: float | None) -> float | None:
    """Seconds: the shorter of the parameter `timeout`, in microseconds, and the header; raises HTTPException."""
    given = parameters.get("timeout")
    if given is None:
        return header_s
    if type(given) is not int or not 0 < given <= LONGEST_S * _PER_S:
        raise invalid(
            f"timeout is {given!r}; give microseconds as a whole number over 0 and up to {LONGEST_S * _PER_S}"
        )
    return min(given / _PER_S, header_s or LONGEST_S)

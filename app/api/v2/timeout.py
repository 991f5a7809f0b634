"""The time limit of an inference."""

from app.api.dependencies import MAX_TIMEOUT_S
from app.api.v2.invalid import invalid
from app.api.v2.schemas.inference import Parameters
from app.shown import shown

_PER_S = 1_000_000


def time_limit(parameters: Parameters, header_s: float | None) -> float | None:
    """The time limit in seconds: the smaller of the parameter `timeout`, in microseconds, and the header.

    None if neither is set. Raises HTTPException.
    """
    given = parameters.get("timeout")
    if given is None:
        return header_s
    if type(given) is not int or not 0 < given <= MAX_TIMEOUT_S * _PER_S:
        raise invalid(
            f"timeout is {shown(given)}; give microseconds as a whole number over 0 and up to {MAX_TIMEOUT_S * _PER_S}"
        )
    return min(given / _PER_S, header_s or MAX_TIMEOUT_S)

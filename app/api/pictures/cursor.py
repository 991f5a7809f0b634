"""The place in a list of kept pictures, as text for clients."""

from math import isfinite

from fastapi.exceptions import RequestValidationError


def cursor_of(place: tuple[float, int] | None) -> str | None:
    """The cursor of a place, which clients send back as they got it."""
    return None if place is None else f"{place[0].hex()}_{place[1]}"


def place_of(cursor: str | None) -> tuple[float, int] | None:
    """The place of a cursor. Raises RequestValidationError for other text."""
    if cursor is None:
        return None
    uncertainty, _, number = cursor.partition("_")
    try:
        place = float.fromhex(uncertainty), int(number)
        if not isfinite(place[0]) or not 0 <= place[1] < 2**63:
            raise ValueError
    except (ValueError, OverflowError) as error:
        message = "it is no cursor; send `next` of the answer before, or leave it out for the first page"
        raise RequestValidationError([{"loc": ("query", "cursor"), "msg": message, "type": "value_error"}]) from error
    return place

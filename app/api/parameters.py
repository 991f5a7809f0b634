"""Refuses query parameters that a route does not have, because a mistyped one would have no effect."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from pydantic import BaseModel

from app.similar import nearest

MOST_ERRORS = 20


async def known_parameters(request: Request) -> None:
    """Raises RequestValidationError for unknown parameters, and for repeated ones unless their values are lists."""
    known = query_parameters(request.scope["endpoint"])
    errors = []
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            errors.append(_error(name, unknown("query parameter", name, known)))
        elif count > 1 and not known[name]:
            errors.append(_error(name, f"it is given {count} times; give it once"))
        if len(errors) == MOST_ERRORS:  # finding the nearest names takes time
            break
    if errors:
        raise RequestValidationError(errors)


@cache
def query_parameters(endpoint: Callable[..., Any]) -> dict[str, bool]:
    """The names of a route's query parameters, and whether each may be repeated, because its value is a list.

    Query parameters are the fields of pydantic classes that are annotated with `Query()`.
    """
    found: dict[str, bool] = {}
    for hint in get_type_hints(endpoint, include_extras=True).values():
        if get_origin(hint) is Annotated and any(isinstance(each, Query) for each in hint.__metadata__):
            body: type[BaseModel] = get_args(hint)[0]
            properties = body.model_json_schema()["properties"]
            found |= {name: _is_list(schema) for name, schema in properties.items()}
    return found


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for an unknown name: the nearest known one, and all of them."""
    known = list(known)
    if not known:
        return f"there is no {kind} {name[:100]!r}; this route has none"
    close = nearest(name, known)
    suggestion = f"; did you mean {close!r}?" if close else ";"
    return f"there is no {kind} {name[:100]!r}{suggestion} available: {', '.join(known)}"


def _is_list(schema: dict[str, Any]) -> bool:
    return any(each.get("type") == "array" for each in (schema, *schema.get("anyOf", ())))


def _error(name: str, message: str) -> dict[str, object]:
    return {"loc": ("query", name[:100]), "msg": message, "type": "value_error"}

"""`search.json`: what a search has found, for programs and for the same search that goes on."""

import json
from contextlib import suppress
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

from app.artifacts import FalseAlarmRecord, GradeRecord
from app.files import read_regular, replacing
from app.model_search.result import Result, choice, front, latest
from app.model_search.search import Found
from app.model_search.wish import Wish
from app.version import VERSION

SEARCH = "search.json"
MOST_BYTES = 16 * 2**20


def write_search(path: Path, wish: Wish, key: str, found: Found, hardware: dict[str, object]) -> None:
    """Replaces the file. `key` differs for searches whose results do not belong together. Raises OSError."""
    chosen = choice(found.last, wish)
    content = {
        "key": key,
        "tessera_version": VERSION,
        "machine": hardware,
        "wish": asdict(wish),
        "choice": chosen.name if chosen else None,
        "front": [each.name for each in front(latest(found.results), wish)],
        "results": [_values(each) for each in found.results],
        "left_out": found.left_out,
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_search(path: Path, key: str) -> Found | None:
    """What the search with this key has found before; None if the file has none of it."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        content = json.loads(read_regular(path, MOST_BYTES))
        if content["key"] == key:
            left_out = {str(name): str(reason) for name, reason in content["left_out"].items()}
            return Found([_result(each) for each in content["results"]], left_out)
    return None


def _values(result: Result) -> dict[str, object]:
    low, high = result.interval
    return {
        "configuration": result.name,
        "round": result.round,
        "pictures": result.pictures,
        "size": None if result.size == inf else result.size,
        "interval": [low or None if low < inf else None, None if high == inf else high],
        "rate": result.rate,
        "seconds": round(result.seconds, 2),
        "grade": result.grade.model_dump(),
        "false_alarms": result.false_alarms.model_dump(),
    }


def _result(values: dict[str, Any]) -> Result:
    """The result of a record; raises ValueError, KeyError or TypeError."""
    return Result(
        str(values["configuration"]),
        int(values["round"]),
        int(values["pictures"]),
        GradeRecord.model_validate(values["grade"]),
        FalseAlarmRecord.model_validate(values["false_alarms"]),
        float(values["rate"]),
        float(values["seconds"]),
    )

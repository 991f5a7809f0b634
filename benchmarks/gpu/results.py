"""What a step has measured so far. It is always complete on disk, so that a step that is stopped loses little."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import JsonValue

Figures = dict[str, JsonValue]


class Results:
    """The figures of a step, by name. Each is written to the file as soon as it is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._figures: Figures = {}

    def add(self, name: str, figures: object) -> None:
        """Keeps figures under a name, and prints them: numbers, strings, and lists and dicts of them."""
        self._figures[name] = cast(JsonValue, figures)
        write_json(self._path, self._figures)
        print(f"{name}: {json.dumps(figures)}", flush=True)


def write_json(path: Path, content: Mapping[str, JsonValue]) -> None:
    """Replaces the file as a whole."""
    temporary = path.with_suffix(".writing")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)


def figures_of(content: Mapping[str, Any], step: str) -> dict[str, Any]:
    """The figures of a step in the results of all; none if it did not run."""
    figures: dict[str, Any] = content.get(step, {}).get("figures", {})
    return figures

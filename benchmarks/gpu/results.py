"""The figures that a step has measured so far. They are written at once, so that a stopped step loses little."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import JsonValue

Figures = dict[str, JsonValue]


class Results:
    """The figures of a step, by name. Each is written to the file at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._figures: Figures = {}

    def add(self, name: str, figures: object) -> None:
        """Stores figures under a name, and prints them: numbers, strings, and lists and dicts of these."""
        self._figures[name] = cast(JsonValue, figures)
        write_json(self._path, self._figures)
        print(f"{name}: {json.dumps(figures)}", flush=True)


def write_json(path: Path, content: Mapping[str, JsonValue]) -> None:
    """Writes JSON, and replaces the file atomically."""
    temporary = path.with_suffix(".writing")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)


def figures_of(content: Mapping[str, Any], step: str) -> dict[str, Any]:
    """The figures of one step in the results of all steps; empty if the step did not run."""
    figures: dict[str, Any] = content.get(step, {}).get("figures", {})
    return figures

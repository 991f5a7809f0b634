"""The results of all parts as JSON and as a table in Markdown."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from benchmarks.hardware import RESULTS, describe
from benchmarks.torture.found import Found

_SHOWN_FAULTS = 10


def write_table(name: str, given: Mapping[str, object], found: Mapping[str, tuple[Found, float]]) -> Path:
    """Writes both files, and prints the table. Returns the table's path."""
    hardware = describe()
    parts = {
        part: {"seconds": round(seconds), "summary": each.summary, "faults": each.faults, **each.figures}
        for part, (each, seconds) in found.items()
    }
    path = RESULTS / f"{date.today().isoformat()}-{name}.json"
    content = json.dumps({"hardware": hardware, **given, "parts": parts}, indent=2, allow_nan=False)
    path.write_text(content + "\n")
    lines = [
        f"# Torture, {hardware['date']}",
        "",
        f"{hardware['processor']}, {hardware['cores']} cores, Python {hardware['python']}, "
        + ", ".join(f"{package} {version}" for package, version in _versions(hardware) if version),
        "",
        "| part | duration | what was seen | faults |",
        "|---|---|---|---|",
    ]
    lines += [f"| {part} | {_duration(s)} | {each.summary} | {len(each.faults)} |" for part, (each, s) in found.items()]
    for part, (each, _) in found.items():
        more = len(each.faults) - _SHOWN_FAULTS
        lines += ["", f"Faults of {part}:", ""] if each.faults else []
        lines += [f"- {fault}" for fault in each.faults[:_SHOWN_FAULTS]] + ([f"- and {more} more"] if more > 0 else [])
    path = path.with_suffix(".md")
    path.write_text("\n".join(lines) + "\n")
    print("\n".join(lines), flush=True)
    return path


def _versions(hardware: Mapping[str, object]) -> list[tuple[str, str | None]]:
    versions = hardware["versions"]
    assert isinstance(versions, dict)
    return list(versions.items())


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 100 else f"{seconds:.0f} s"

"""Writes docs/settings.md from the settings of the server: python -m scripts.contract.settings."""

from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from app.settings import PREFIX, Settings

PLACE = Path(__file__).parent.parent.parent / "docs/settings.md"
SIGNS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}
HEAD = f"""# Settings

Set each one with a flag of `tessera serve` (`--port 9000`), or with its variable in the environment
(`{PREFIX}PORT=9000`). [README](../README.md#configuration) says more about some of them. This page is made from
`app/settings.py` by `make settings`.

| setting | variable | default | limits | meaning |
|---|---|---|---|---|
"""


def text() -> str:
    """The page."""
    return HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    default = "" if field.default in (None, "") else f"`{_shown(field.default)}`"
    meaning = str(field.description).replace("|", "\\|").replace("<", "\\<")
    return f"| `{name}` | `{PREFIX}{name.upper()}` | {default} | {_limits(field)} | {meaning} |\n"


def _limits(field: FieldInfo) -> str:
    choices = [str(each) for each in get_args(field.annotation) if isinstance(each, str)]
    if choices:
        return ", ".join(f"`{each}`" for each in choices)
    bounds = [(sign, getattr(each, key)) for each in field.metadata for kind, (sign, key) in SIGNS.items()
              if isinstance(each, kind)]  # fmt: skip
    return ", ".join(f"{sign} {bound:g}" if isinstance(bound, float) else f"{sign} {bound}" for sign, bound in bounds)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PLACE.write_text(text())

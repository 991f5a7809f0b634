"""Writes docs/errors.md from the classes of errors: python -m scripts.contract.errors."""

from pathlib import Path

from app.api.problem_codes import ProblemCode, RefusalCode
from app.api.problem_examples import PROBLEMS
from app.api.problems import title_of
from app.errors import every_error

PLACE = Path(__file__).parent.parent.parent / "docs/errors.md"
HEAD = """# Errors

Every error is a problem detail (RFC 9457, `application/problem+json`): `type`, `title`, `status`, `detail` (a sentence
that says what was wrong, which limit was met, and what would work), `code`, which is stable, and the request's id. This
page is made from `app/errors` and `app/api/problem_examples.py` by `make errors`.

| code | status | when | example |
|---|---|---|---|
"""
REFUSALS = """
`GET /v1/models` also says why a version is refused:

| code | meaning |
|---|---|
"""


def text() -> str:
    """The page."""
    titles = {kind.code: title_of(kind) for kind in every_error()}
    refusals = "".join(f"| `{code}` | {titles[code]} |\n" for code in RefusalCode)
    return HEAD + "".join(map(_row, ProblemCode)) + REFUSALS + refusals


def _row(code: ProblemCode) -> str:
    problem = PROBLEMS[code]
    return f"| `{code}` | {problem.status} | {problem.when} | {problem.detail} |\n"


if __name__ == "__main__":
    PLACE.write_text(text())

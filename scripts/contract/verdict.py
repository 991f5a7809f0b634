"""Writes docs/verdict.schema.json, the JSON Schema of the verdicts that sinks get.

python -m scripts.contract.verdict
"""

import json
from pathlib import Path

from app.api.schemas.verdict import VERDICT, VerdictBody

SCHEMA = Path(__file__).parent.parent.parent / "docs/verdict.schema.json"


def text() -> str:
    """The content of the file."""
    schema = VerdictBody.model_json_schema(mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": VERDICT}
    return json.dumps(head | {key: value for key, value in schema.items() if key != "title"}, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text())

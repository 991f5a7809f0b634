"""Writes the application's OpenAPI document: `python -m scripts.contract.document [--release]`."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from app.application import build_app
from app.settings import Settings

ROOT = Path(__file__).parent.parent.parent
CURRENT = ROOT / "openapi.json"
RELEASED = ROOT / "openapi.released.json"


def application_document() -> dict[str, Any]:
    """The response of `/openapi.json`."""
    with tempfile.TemporaryDirectory() as empty:
        document: dict[str, Any] = build_app(Settings(models_dir=Path(empty), device="cpu")).openapi()
    return document


def text_of(document: dict[str, Any]) -> str:
    """The document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes `openapi.json`; with `--release` also `openapi.released.json`, with which later changes are compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="store_true", help="also write openapi.released.json: for a release")
    text = text_of(application_document())
    for path in (CURRENT, RELEASED) if parser.parse_args().release else (CURRENT,):
        path.write_text(text)


if __name__ == "__main__":
    main()

"""The commands of docs/clients.md generate clients that pass type checks and use every operation."""

import re
import shlex
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT, Workplace

pytestmark = pytest.mark.clients
DOCUMENT = (ROOT / "docs/clients.md").read_text()
PROGRAMS = ROOT / "tests/clients/programs"
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
CHECKS = {  # the type check of each generator's client: strict for the program that uses it
    "openapi-python-client": "mypy --strict --follow-imports silent {program}",
    "openapi-generator": "MYPYPATH=openapi-generator mypy --strict --follow-imports silent {program}",
    "@hey-api/openapi-ts": "tsc --noEmit --target es2022 --module commonjs --strict {program}",
}
FILES = "$TESSERA_URL examples/defect.png examples/normal.png"
COMPILE = "tsc --target es2022 --module commonjs --strict"
RUNS = {
    "openapi-python-client": f"python {{program}} {FILES}",
    "openapi-generator": f"PYTHONPATH=openapi-generator python {{program}} {FILES}",
    "@hey-api/openapi-ts": f"{COMPILE} --outDir compiled {{program}} && node compiled/{{stem}}.js {FILES}",
}


def blocks(section: str) -> list[tuple[str, str]]:
    """The language and text of each block of code, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def is_installation(text: str) -> bool:
    return text.startswith(("pip install", "npm install"))


@pytest.mark.parametrize("title", SECTIONS)
def test_the_documented_client_works_for_every_operation(workplace: Workplace, title: str) -> None:
    generator = title.partition(": ")[2]
    outputs = []
    for language, text in blocks(SECTIONS[title]):
        if language != "sh":
            comment = re.match(r"(?:#|//) (\S+)\n", text)
            assert comment is not None
            program = comment[1]
            (workplace.directory / program).write_text(text)
        elif not is_installation(text):
            outputs.append(workplace.run(text))
    assert re.fullmatch(r"anomalous \d+\n", outputs[-1])
    workplace.run(CHECKS[generator].format(program=program))
    (workplace.directory / program).write_text((PROGRAMS / program).read_text())
    workplace.run(CHECKS[generator].format(program=program))
    workplace.run(RUNS[generator].format(program=program, stem=Path(program).stem))


def test_the_documented_versions_are_the_tested_ones() -> None:
    pinned = (ROOT / "tests/clients/requirements.txt").read_text()
    package = (ROOT / "tests/clients/typescript/package.json").read_text()
    for language, text in blocks(DOCUMENT):
        if language == "sh" and is_installation(text):
            for word in shlex.split(text)[2:]:
                name, _, version = word.rpartition("@")
                assert f'"{name}": "{version}"' in package if text.startswith("npm") else f"{word}\n" in pinned, word


def test_every_operation_is_used_by_every_client() -> None:
    import json

    document = json.loads((ROOT / "openapi.json").read_text())
    operations = [each for path in document["paths"].values() for each in path.values()]
    # The Open Inference Protocol has its own clients.
    names = [each["operationId"] for each in operations if each["tags"] != ["open inference protocol"]]
    for program in PROGRAMS.iterdir():
        text = program.read_text()
        for name in names:
            called = re.sub(r"_(\w)", lambda found: found[1].upper(), name) if program.suffix == ".ts" else name
            assert re.search(rf"\b{called}(\.sync)?\(", text), f"{program.name} does not call {called}"

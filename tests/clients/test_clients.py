"""The commands of docs/clients.md generate clients that pass type checks and use every operation."""

import re
import shlex
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT, Workplace

pytestmark = pytest.mark.clients
DOCUMENT = (ROOT / "docs/clients.md").read_text()
PROGRAMS = ROOT / "tests/clients/programs"
SECTIONS = dict(re.findall(r"^## (\w+: .*?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
FILES = "$TESSERA_URL examples/defect.png examples/normal.png"
TSC = "tsc --target es2022 --module commonjs --strict"
JAVAC = 'javac -proc:none -Xlint:all,-path -Werror -d classes -cp "classes:*"'
MYPY = "mypy --strict --follow-imports silent"
CHECKS = {  # the type check of each client: strict for the program that uses it
    "Python: openapi-python-client": f"{MYPY} {{program}}",
    "Python: openapi-generator": f"MYPYPATH=openapi-generator {MYPY} {{program}}",
    "TypeScript: @hey-api/openapi-ts": f"{TSC} --noEmit {{program}}",
    "Go: openapi-generator": "go vet {program}",
    "Java: openapi-generator": f"{JAVAC} {{program}}",
}
RUNS = {
    "Python: openapi-python-client": f"python {{program}} {FILES}",
    "Python: openapi-generator": f"PYTHONPATH=openapi-generator python {{program}} {FILES}",
    "TypeScript: @hey-api/openapi-ts": f"{TSC} --outDir compiled {{program}} && node compiled/{{stem}}.js {FILES}",
    "Go: openapi-generator": f"go run {{program}} {FILES}",
    "Java: openapi-generator": f'java -cp "classes:*" {{stem}} {FILES}',
}


def blocks(section: str) -> list[tuple[str, str]]:
    """The language and text of each block of code, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def is_installation(text: str) -> bool:
    return text.startswith(("pip install", "npm install", "apt-get install"))


@pytest.mark.parametrize("title", SECTIONS)
def test_the_documented_client_works_for_every_operation(workplace: Workplace, title: str) -> None:
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
    workplace.run(CHECKS[title].format(program=program))
    (workplace.directory / program).write_text((PROGRAMS / program).read_text())
    workplace.run(CHECKS[title].format(program=program))
    workplace.run(RUNS[title].format(program=program, stem=Path(program).stem))


def test_the_documented_versions_are_the_tested_ones() -> None:
    pinned = (ROOT / "tests/clients/requirements.txt").read_text()
    package = (ROOT / "tests/clients/typescript/package.json").read_text()
    for language, text in blocks(DOCUMENT):
        if language == "sh" and text.startswith(("pip", "npm")) and is_installation(text):
            for word in shlex.split(text)[2:]:
                name, _, version = word.rpartition("@")
                assert f'"{name}": "{version}"' in package if text.startswith("npm") else f"{word}\n" in pinned, word


def _method(operation: str, suffix: str) -> str:
    """The name of an operation's method in the language with this suffix of files."""
    if suffix == ".py":
        return operation
    if suffix == ".go":
        operation = f"_{operation}"
    return re.sub(r"_(\w)", lambda found: found[1].upper(), operation)


def test_openapi_python_client_accepts_every_type_of_pictures(workplace: Workplace) -> None:
    options = "--config examples/clients/openapi-python-client.yaml --meta none --output-path all"
    output = workplace.run(f"openapi-python-client generate --path openapi.json {options} 2>&1")
    assert "WARNING" not in output, output


def test_every_operation_is_used_by_every_client() -> None:
    import json

    document = json.loads((ROOT / "openapi.json").read_text())
    operations = [each for path in document["paths"].values() for each in path.values()]
    # The Open Inference Protocol has its own clients. Jobs and streams of rows speak protocols that generated clients
    # do not: tus, server-sent events, and lines of JSON while rows are sent; their own tests do. Trainings, reviews,
    # shadows and zones change or need what a server has only with other settings: clients are generated and compiled
    # with them.
    others = ["open inference protocol"], ["jobs"], ["trainings"], ["teachings"], ["reviews"]
    names = {each["operationId"] for each in operations if each["tags"] not in others}
    names -= {"stream_rows", "normal_picture", *(f"{verb}_model_shadow" for verb in ("get", "start", "stop"))}
    names -= {"get_model_zones", "put_model_zones"}
    for program in PROGRAMS.iterdir():
        text = program.read_text()
        for name in names:
            called = _method(name, program.suffix)
            assert re.search(rf"\b{called}(\.sync)?\(", text), f"{program.name} does not call {called}"

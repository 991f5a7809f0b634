"""The commands of docs/clients.md generate clients that pass type checks and use every operation."""

import re
import shlex
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT, Learning, Workplace

pytestmark = pytest.mark.clients
DOCUMENT = (ROOT / "docs/clients.md").read_text()
PROGRAMS = ROOT / "tests/clients/programs"
SECTIONS = dict(re.findall(r"^## (\w+: .*?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
FILES = "$TESSERA_URL examples/defect.png examples/normal.png"
TSC = "tsc --target es2022 --module commonjs --strict --outDir compiled"
JAVAC = 'javac -proc:none -Xlint:all,-path -Werror -d classes -cp "classes:*"'
MYPY = "mypy --strict --follow-imports silent"
CHECKS = {  # the type check of each client: strict for the programs that use it
    "Python: openapi-python-client": f"{MYPY} {{programs}}",
    "Python: openapi-generator": f"MYPYPATH=openapi-generator {MYPY} {{programs}}",
    "TypeScript: @hey-api/openapi-ts": f"{TSC} {{programs}}",
    "Go: openapi-generator": "for each in {programs}; do go vet $each || exit; done",  # each has a `main`
    "Java: openapi-generator": f"{JAVAC} {{programs}}",
}
LEARN_S = 600.0  # training has the lowest priority, and other programs may use all processors
RUNS = {
    "Python: openapi-python-client": "python {program} {arguments}",
    "Python: openapi-generator": "PYTHONPATH=openapi-generator python {program} {arguments}",
    "TypeScript: @hey-api/openapi-ts": "node compiled/{stem}.js {arguments}",
    "Go: openapi-generator": "go run {program} {arguments}",
    "Java: openapi-generator": 'java -cp "classes:*" {stem} {arguments}',
}


def blocks(section: str) -> list[tuple[str, str]]:
    """The language and text of each block of code, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def is_installation(text: str) -> bool:
    return text.startswith(("pip install", "npm install", "apt-get install"))


def learning_program(program: str) -> str:
    """The name of the program that trains and teaches by the same client."""
    return f"Learn{program}" if program[0].isupper() else f"learn_{program}"


@pytest.mark.parametrize("title", SECTIONS)
def test_the_documented_client_works_for_every_operation(workplace: Workplace, learning: Learning, title: str) -> None:
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
    check = CHECKS[title].format(programs=program)
    if check not in SECTIONS[title]:  # the documented commands may be strict
        workplace.run(check)
    arguments = {program: FILES, learning_program(program): f"{learning.url} {learning.folder}"}
    for each in arguments:
        (workplace.directory / each).write_text((PROGRAMS / each).read_text())
    workplace.run(CHECKS[title].format(programs=" ".join(arguments)))
    for each, given in arguments.items():
        workplace.run(RUNS[title].format(program=each, stem=Path(each).stem, arguments=given), LEARN_S)


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
    # do not: tus, and lines of JSON while rows are sent; their own tests do.
    others = ["open inference protocol"], ["jobs"]
    names = {each["operationId"] for each in operations if each["tags"] not in others} - {"stream_rows"}
    for program in PROGRAMS.glob("[Ww]ith*"):
        text = program.read_text() + (PROGRAMS / learning_program(program.name)).read_text()
        # The client for Java reads every text as JSON that is not text/plain, also events.
        exceptions = {"get_training_events", "get_teaching_events"} if program.suffix == ".java" else set()
        for name in names - exceptions:
            called = _method(name, program.suffix)
            assert re.search(rf"\b{called}(\.sync(_detailed)?)?\(", text), f"{program.name} does not call {called}"

"""The README's commands, links, targets and program work."""

import io
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from httpx2 import Response
from PIL import Image
from scipy import ndimage
from starlette.testclient import TestClient

from app.application import build_app
from app.cli.commands import build_parser
from app.settings import Settings
from scripts.demo.examples import draw_defect

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^curl .*$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def demo() -> Iterator[TestClient]:
    """A client of the server that `make run` starts."""
    with TestClient(build_app(Settings(models_dir=ROOT / "models", device="cpu"))) as client:
        while client.get("/readyz").status_code != 200:
            sleep(0.05)
        yield client


def run(demo: TestClient, command: str) -> Response:
    """The response to a `curl` command that posts a picture; the command's output file is not written."""
    words = shlex.split(command)
    field, _, path = words[words.index("-F") + 1].partition("=@")
    url = next(word for word in words if word.startswith("http://127.0.0.1:8000/"))
    return demo.post(url.removeprefix("http://127.0.0.1:8000"), files={field: (ROOT / path).read_bytes()})


def test_the_defective_example_is_anomalous_with_a_region_over_each_defect(demo: TestClient) -> None:
    answer = run(demo, COMMANDS[0]).json()
    assert answer["label"] == "anomalous"
    boxes = [region["box"] for region in answer["regions"]]
    defects, count = ndimage.label(draw_defect()[1], np.ones((3, 3)))
    assert count == 3
    found = [defects[box["y"] : box["y"] + box["height"], box["x"] : box["x"] + box["width"]] for box in boxes]
    assert {int(number) for part in found for number in np.unique(part)} >= {1, 2, 3}


def test_the_normal_example_is_normal(demo: TestClient) -> None:
    answer = run(demo, COMMANDS[0].replace("defect.png", "normal.png")).json()
    assert (answer["label"], answer["regions"]) == ("normal", [])


def test_the_heatmap_is_a_picture_of_the_same_size(demo: TestClient) -> None:
    with Image.open(io.BytesIO(run(demo, COMMANDS[1]).content)) as overlay:
        assert overlay.size == (1024, 1024)


def test_every_file_that_the_readme_shows_or_links_exists() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`?make ([a-z-]+)", README)) <= set(targets)


def test_the_commands_that_the_readme_shows_can_be_parsed() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("tessera ")]
    assert {command[0] for command in commands} >= {"train", "predict", "evaluate", "compare", "import", "models"}
    for command in commands:
        assert build_parser(command).parse_args(command).command == command[0]


def test_the_imports_of_the_readmes_program_exist() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for line in program.splitlines():
        if line.startswith("from "):
            _, module, _, name = line.split()
            assert hasattr(import_module(module), name), line
    compile(program, "README.md", "exec")

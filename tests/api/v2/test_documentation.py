"""The examples of docs/inference-protocol.md work, and its lists are complete."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from app.api.v2.outputs import OUTPUTS
from app.api.v2.tensors import DTYPES
from tests.api.v2.messages import parsed
from tests.running import Live
from tests.waiting import WAIT_S

ROOT = Path(__file__).parent.parent.parent.parent
TEXT = (ROOT / "docs/inference-protocol.md").read_text()


@pytest.fixture(scope="module")
def server(live_module: Callable[..., Live]) -> Live:
    """A server of the demo model."""
    return live_module(models_dir=ROOT / "models")


def test_the_program_finds_the_defect(
    server: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(program.replace("127.0.0.1:8000", server.url.removeprefix("http://")), {})  # the document's own code
    label, score, *shape = capsys.readouterr().out.split()
    assert (label, shape) == ("anomalous", ["(1,", "1024,", "1024)"]) and float(score) > 0.5


def test_the_command_finds_the_defect(server: Live) -> None:
    words = shlex.split(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)[0])
    headers = dict(words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H")
    picture = (ROOT / words[words.index("--data-binary") + 1].removeprefix("@")).read_bytes()
    url = words[-1].replace("http://127.0.0.1:8000", server.url)
    answer = httpx2.post(url, content=picture, headers=headers, timeout=WAIT_S)
    assert parsed(answer)[1]["label"].tolist() == ["anomalous"]


def test_every_route_output_and_datatype_is_listed(client: TestClient) -> None:
    for name in (*OUTPUTS, *DTYPES, "BYTES"):
        assert f"`{name}`" in TEXT
    for path in client.get("/openapi.json").json()["paths"]:
        if path.startswith("/v2") and "/versions/" not in path:
            assert path in TEXT or path.endswith("/ready"), path

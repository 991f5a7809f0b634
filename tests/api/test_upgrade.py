"""The commands of docs/operations.md, "Upgrade and rollback of a model", beside a running server."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from app.cli import main
from tests.conftest import draw_surface
from tests.waiting import WAIT_S

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
SECTION = PAGE.partition("## Upgrade and rollback of a model")[2].partition("\n## ")[0]
SECTION = SECTION.partition("\n### Try a candidate on live pictures")[0]  # tests/api/test_shadow.py
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL) for line in block.splitlines()]
TRAIN = COMMANDS[0]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: training pictures, a picture to predict, and version 1."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures/normal").mkdir(parents=True)
    add_pictures(tmp_path, 0, 5)
    Image.fromarray(draw_surface(100)).save(tmp_path / "part.png")
    assert main(trained()) == 0
    return tmp_path


def add_pictures(root: Path, first: int, end: int) -> None:
    for number in range(first, end):
        Image.fromarray(draw_surface(number)).save(root / f"pictures/normal/{number}.png")


def trained() -> list[str]:
    return [*shlex.split(TRAIN)[1:], "--data.normal_dir", "normal", "--tiling.tile_size", "64", "--device", "cpu"]


def predicted(url: str, command: str) -> tuple[int, float]:
    """The version and the score of the answer to a `curl` command."""
    path = next(word for word in shlex.split(command) if word.startswith("localhost:8000"))
    answer = httpx2.post(
        path.replace("localhost:8000", url), files={"image": Path("part.png").read_bytes()}, timeout=WAIT_S
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["model"]["version"], body["raw_score"]


def test_the_documented_upgrade_and_rollback(
    plant: Path, live: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    url = live(models_dir=plant / "models", serve_new="pinned", reload_interval_s=0, batch_tiles=8).url
    answers: list[tuple[int, float]] = []
    for command in COMMANDS:
        if command.startswith("curl"):
            assert httpx2.post(f"{url}/v1/reload", timeout=WAIT_S).status_code == 200
            answers.append(predicted(url, command))
        elif command == TRAIN:
            before = predicted(url, "localhost:8000/v1/models/surface/predict")
            add_pictures(plant, 5, 9)
            assert main(trained()) == 0
            assert httpx2.post(f"{url}/v1/reload", timeout=WAIT_S).json()["models"][0]["newest"] == 1
            assert predicted(url, "localhost:8000/v1/models/surface/predict") == before
        else:
            assert main([*shlex.split(command)[1:], "--device", "cpu"]) == 0
    assert [version for version, _ in answers] == [2, 2, 1]
    assert answers[0] == answers[1] != before == answers[2]
    shown = capsys.readouterr().out
    assert "candidate" in shown and "rollback" in shown
    assert httpx2.post(f"{url}/v1/reload", timeout=WAIT_S).json()["models"][0]["ready"] == [1, 3]
    described = httpx2.get(f"{url}/v1/models/surface").json()
    assert (described["live"], described["pinned"], described["newest"]) == (1, 1, 1)
    assert [(version["version"], version["stage"]) for version in described["versions"]] == [
        (1, "live"),
        (3, "candidate"),
    ]
    assert httpx2.get(f"{url}/v2/models/surface").json()["live"] == "1"

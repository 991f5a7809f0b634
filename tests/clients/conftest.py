import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.keys import ApiKey, Scope, digest_of, new_secret, write_keys
from scripts.demo.dataset import Plan, write_dataset
from tests.waiting import WAIT_S, address

ROOT = Path(__file__).parent.parent.parent
TOOLS = ROOT / ".venv-clients/bin"
NODE_TOOLS = ROOT / "tests/clients/typescript/node_modules/.bin"
KEYS = {scope: new_secret() for scope in Scope}
NORMAL_PICTURES = 12  # ten to train a first model, and two to review
OFFLINE = {"GOPROXY": "off", "GOTOOLCHAIN": "local"}
"""Go neither downloads modules nor another version of itself."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests marked `clients` where the generators of clients are not installed."""
    if not (TOOLS / "openapi-generator-cli").exists() or not (NODE_TOOLS / "openapi-ts").exists():
        for item in items:
            if item.get_closest_marker("clients"):
                item.add_marker(pytest.mark.skip(reason="no generators of clients; `make clients` installs them"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the demo model with the keys KEYS, a process of its own."""
    with serving(tmp_path_factory.mktemp("server"), "--models_dir", str(ROOT / "models")) as url:
        yield url


@dataclass(frozen=True)
class Learning:
    """The address of a server that trains and teaches, and a folder of pictures.

    The folder has `normal-00.png` to `normal-11.png`, of 256 x 256 pixels, and `defect.png`.
    """

    url: str
    folder: Path


@pytest.fixture(scope="session")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learning]:
    """A server without models, which keeps all pictures, with the keys KEYS; and new pictures of the demo's surface."""
    directory = tmp_path_factory.mktemp("learning")
    options = ["--pictures_keep", "all"]
    for name in ("models", "trainings", "pictures"):
        (directory / name).mkdir()
        options += [f"--{name}_dir", str(directory / name)]
    plan = Plan(train=NORMAL_PICTURES, test=1, size=(256, 256))
    drawn = write_dataset(directory / "drawn", plan)
    folder = directory / "sent"
    folder.mkdir()
    for index, path in enumerate(sorted((drawn / "train/good").iterdir())):
        path.rename(folder / f"normal-{index:02d}.png")
    (defect,) = (path for path in drawn.glob("test/*/*.png") if path.parent.name != "good")
    defect.rename(folder / "defect.png")
    with serving(directory, *options, probe="livez") as url:
        yield Learning(url, folder)


@contextmanager
def serving(directory: Path, *options: str, probe: str = "readyz") -> Iterator[str]:
    """The address of a server with the keys KEYS, a process of its own that has answered to the probe."""
    log, now = directory / "log", datetime.now(UTC)
    keys = [ApiKey(scope.value, scope, digest_of(secret), now) for scope, secret in KEYS.items()]
    write_keys(directory / "keys.json", keys)
    common = ["--port", "0", "--device", "cpu", "--keys_file", str(directory / "keys.json")]
    command = [sys.executable, "-m", "app", "serve", *common, *options]
    with log.open("w") as stream, subprocess.Popen(command, cwd=ROOT, stderr=stream) as process:
        try:
            yield address(process, log, probe)
        finally:
            process.terminate()


@dataclass(frozen=True)
class Workplace:
    """A directory with the files that the documented commands name, and the address of a server."""

    directory: Path
    url: str

    def run(self, command: str, timeout_s: float = WAIT_S) -> str:
        """The output of a shell command, which must succeed and finds the generators on its path."""
        path = f"{TOOLS}:{NODE_TOOLS}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "TESSERA_URL": self.url, "NO_COLOR": "1"} | OFFLINE
        environment |= {"TESSERA_KEY": KEYS[Scope.admin], "TESSERA_PREDICT_KEY": KEYS[Scope.predict]}
        done = subprocess.run(
            command, shell=True, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=timeout_s
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def workplace(server: str, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A new directory with links to `openapi.json`, `examples/` and `node_modules/`."""
    directory = tmp_path_factory.mktemp("workplace")
    for name in ("openapi.json", "examples"):
        (directory / name).symlink_to(ROOT / name)
    (directory / "node_modules").symlink_to(NODE_TOOLS.parent)
    return Workplace(directory, server)

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.keys import ApiKey, Scope, digest_of, new_secret, write_keys
from tests.waiting import WAIT_S, address

ROOT = Path(__file__).parent.parent.parent
TOOLS = ROOT / ".venv-clients/bin"
NODE_TOOLS = ROOT / "tests/clients/typescript/node_modules/.bin"
KEYS = {scope: new_secret() for scope in Scope}
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
    directory = tmp_path_factory.mktemp("server")
    log, now = directory / "log", datetime.now(UTC)
    keys = [ApiKey(scope.value, scope, digest_of(secret), now) for scope, secret in KEYS.items()]
    write_keys(directory / "keys.json", keys)
    command = [
        sys.executable,
        "-m",
        "app",
        "serve",
        "--models_dir",
        str(ROOT / "models"),
        "--port",
        "0",
        "--device",
        "cpu",
        "--keys_file",
        str(directory / "keys.json"),
    ]
    with log.open("w") as stream, subprocess.Popen(command, cwd=ROOT, stderr=stream) as process:
        try:
            yield address(process, log)
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

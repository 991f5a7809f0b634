"""A real Prometheus with the files of examples/observe reads a real server: queries have data, and an alert fires."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.settings import Settings
from tests.running import Live, running
from tests.test_observe_example import FOLDER, PANELS, RULES
from tests.waiting import wait_until

PROMETHEUS = shutil.which("prometheus")
QUEUE_TILES = 12  # one and a half pictures

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None, reason="no prometheus: scripts/install_prometheus.sh installs Debian's package"
)


@dataclass(frozen=True)
class Observed:
    """A server, and a client of the Prometheus that reads it every second."""

    server: Live
    prometheus: httpx2.Client

    def api(self, path: str, **parameters: str) -> Any:
        answer = self.prometheus.get(f"/api/v1/{path}", params=parameters)
        assert answer.json()["status"] == "success", answer.text
        return answer.json()["data"]

    def post(self, picture: bytes) -> int:
        path = f"{self.server.url}/v1/models/patchcore/predict"
        return httpx2.post(path, content=picture, timeout=60).status_code

    def has_data(self, query: str) -> bool:
        return bool(self.api("query", query=query)["result"])

    def state(self, alert: str) -> str:
        """The state of an alert: inactive, pending or firing."""
        rules = self.api("rules")["groups"][0]["rules"]
        state: str = next(rule["state"] for rule in rules if rule["name"] == alert)
        return state


def shortened(file: str, *changes: tuple[str, str]) -> str:
    """The text of an example, with changes that make a test short."""
    text = (FOLDER / file).read_text()
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text)
        assert count, pattern
    return text


@pytest.fixture(scope="module")
def observed(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    directory = tmp_path_factory.mktemp("prometheus")
    rules, config, log = directory / "alerts.yml", directory / "prometheus.yml", directory / "log"
    rules.write_text(shortened("alerts.yml", (r"for: \d+m", "for: 1s")))
    with running(Settings(models_dir=models_dir, device="cpu", queue_tiles=QUEUE_TILES)) as server:
        address = server.url.removeprefix("http://")
        changes = (
            (r"_interval: 15s", "_interval: 1s"),
            ("/etc/prometheus/alerts.yml", str(rules)),
            ("tessera:8000", address),
        )
        config.write_text(shortened("prometheus.yml", *changes))
        options = f"--config.file={config} --storage.tsdb.path={directory / 'data'} --web.listen-address=127.0.0.1:0"
        with log.open("w") as file, subprocess.Popen([str(PROMETHEUS), *options.split()], stderr=file) as process:
            try:
                wait_until(lambda: process.poll() is not None or "Listening on" in log.read_text())
                found = re.search(r'"Listening on" address=(\S+)', log.read_text())
                assert found, log.read_text()
                with httpx2.Client(base_url=f"http://{found[1]}", timeout=60) as client:
                    wait_until(lambda: client.get("/-/ready").status_code == 200)
                    yield Observed(server, client)
            finally:
                process.terminate()


def test_the_target_is_read_and_every_rule_is_evaluated(observed: Observed) -> None:
    wait_until(lambda: observed.has_data('up{job="tessera"} == 1'))
    wait_until(lambda: all(rule["health"] == "ok" for rule in observed.api("rules")["groups"][0]["rules"]))
    assert [rule["name"] for rule in observed.api("rules")["groups"][0]["rules"]] == [rule["alert"] for rule in RULES]


def test_no_pictures_is_an_alert_until_pictures_come(observed: Observed, normal_png: bytes) -> None:
    wait_until(lambda: observed.state("NoPictures") == "firing")

    def ended() -> bool:
        assert observed.post(normal_png) == 200
        return observed.state("NoPictures") == "inactive"

    wait_until(ended)


def test_every_query_of_the_dashboard_has_data(observed: Observed, defect_png: bytes) -> None:
    for panel in PANELS:
        for target in panel["targets"]:

            def shown(query: str = target["expr"]) -> bool:
                assert observed.post(defect_png) == 200
                return observed.has_data(query)

            wait_until(shown)


def test_refusals_fire_the_alert_of_a_full_queue(observed: Observed, defect_png: bytes) -> None:
    assert observed.state("QueueFull") == "inactive"
    with observed.server.services.worker.admit(QUEUE_TILES):

        def fires() -> bool:
            assert observed.post(defect_png) == 429
            return observed.state("QueueFull") == "firing"

        wait_until(fires)
    (alert,) = [each for each in observed.api("alerts")["alerts"] if each["labels"]["alertname"] == "QueueFull"]
    assert alert["labels"]["limit"] == "queue_tiles" and alert["labels"]["severity"] == "warning"
    assert alert["annotations"]["action"].startswith("Send fewer pictures")

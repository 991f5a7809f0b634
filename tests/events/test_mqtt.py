"""Events reach a real broker, Mosquitto, which scripts/install_mosquitto.sh installs."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from app.errors import NotDelivered
from app.events import Outlets, backoff, parse_addresses, sinks_of
from tests.events.conftest import Counted
from tests.events.making import certificate, event
from tests.waiting import wait_until

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
TOPIC = "line3/verdicts"
PASSWORD = "a password of the test"
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto; scripts/install_mosquitto.sh installs it")


@dataclass
class Broker:
    """A broker that knows the user `line`, without or with TLS, and can be stopped and started again."""

    folder: Path
    port: int
    certificate: Path | None
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        tls = "" if self.certificate is None else f"certfile {self.certificate}\nkeyfile {self.folder}/key.pem\n"
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\n{tls}allow_anonymous false\npassword_file {self.folder}/passwords\n"
            "user root\n"
        )
        self.processes.append(subprocess.Popen([str(MOSQUITTO), "-c", str(config)], stderr=subprocess.DEVNULL))
        wait_until(lambda: _listens(self.port))

    def stop(self) -> None:
        process = self.processes.pop()
        process.kill()
        process.wait()

    @property
    def address(self) -> str:
        scheme, more = ("mqtt", "") if self.certificate is None else ("mqtts", f"&ca_file={self.certificate}")
        return f"{scheme}://line@localhost:{self.port}/{TOPIC}#password_file={self.folder}/password{more}"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """A function that starts a broker."""
    with ExitStack() as stack:

        def start(*, tls: bool = False) -> Broker:
            (tmp_path / "password").write_text(f"{PASSWORD}\n")
            passwords = tmp_path / "passwords"
            passwords.touch(0o600)
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), "line", PASSWORD], check=True)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            found = Broker(tmp_path, port, certificate(tmp_path) if tls else None)
            found.start()
            stack.callback(lambda: [process.kill() or process.wait() for process in found.processes])  # type: ignore[func-returns-value]  # both are wanted
            return found

        yield start


@contextmanager
def subscribed(broker: Broker) -> Iterator[list[dict[str, Any]]]:
    """Yields what a subscriber receives, in its order."""
    received: list[dict[str, Any]] = []
    client = Client(CallbackAPIVersion.VERSION2, "subscriber", clean_session=False)
    client.username_pw_set("line", PASSWORD)
    if broker.certificate is not None:
        client.tls_set_context(ssl.create_default_context(cafile=str(broker.certificate)))
    ready: list[object] = []
    client.on_connect = lambda *_: ready.clear() if client.subscribe(TOPIC, qos=1)[0] else None
    client.on_subscribe = lambda *_: ready.append(None)
    client.on_message = lambda _c, _u, message: received.append(json.loads(message.payload))
    client.reconnect_delay_set(1, 1)
    client.connect("localhost", broker.port)
    client.loop_start()
    wait_until(lambda: bool(ready))
    try:
        yield received
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("tls", [False, True])
def test_events_reach_subscribers_in_order_with_a_password_and_tls(
    tmp_path: Path, counted: Counted, broker: Callable[..., Broker], tls: bool
) -> None:
    there = broker(tls=tls)
    with subscribed(there) as received:
        outlets = Outlets(sinks_of(there.address), tmp_path / "spool", 10**7, counted)
        outlets.start()
        for number in range(50):
            outlets.tell(event(number))
        wait_until(lambda: len(received) == 50)
        outlets.stop()
    assert [each["number"] for each in received] == list(range(50))
    assert (counted.delivered, counted.failed) == (50, 0)


def test_events_wait_while_the_broker_is_down(
    tmp_path: Path, counted: Counted, broker: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "LONGEST_S", 0.2)
    there = broker()
    outlets = Outlets(sinks_of(there.address), tmp_path / "spool", 10**7, counted)
    outlets.start()
    outlets.tell(event(0))
    wait_until(lambda: counted.delivered == 1)
    there.stop()
    for number in range(1, 10):
        outlets.tell(event(number)).result()
    wait_until(lambda: counted.failed > 0)
    assert sum(each.count for each in outlets.waiting()) == 9
    there.start()
    with subscribed(there):
        wait_until(lambda: counted.delivered == 10)
    outlets.stop()


def test_a_wrong_password_is_told(tmp_path: Path, broker: Callable[..., Broker]) -> None:
    there = broker()
    (tmp_path / "password").write_text("another")
    (address,) = parse_addresses(there.address)
    sink = address.sink()
    with pytest.raises(NotDelivered, match=r"Not authorized"):
        sink.send(event(0))
    sink.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

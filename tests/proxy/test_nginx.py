"""The configuration of nginx in examples/proxy/, with a real nginx and a certificate that the test makes."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from app.keys import ApiKey, Scope, digest_of, new_secret, write_keys
from app.settings import Settings
from tests.running import Live, running
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples/proxy/nginx.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
HOST = "plant.example"
KEY = new_secret()
BEARER = {"Authorization": f"Bearer {KEY}"}
PREDICT = "/v1/models/patchcore/predict"
MAX_BYTES = 8 * 2**20

pytestmark = pytest.mark.skipif(
    NGINX is None or shutil.which("openssl") is None, reason="no nginx: scripts/install_proxies.sh installs one"
)


@dataclass(frozen=True)
class Proxied:
    """A server, and a client that reaches it through nginx and trusts its certificate."""

    server: Live
    client: httpx2.Client
    port: int


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def configured(directory: Path, upstream: str, port: int) -> str:
    """nginx's configuration around the example, of which only addresses and paths are replaced."""
    text = EXAMPLE.read_text()
    for old, new in (
        ("server 127.0.0.1:8000;", f"server {upstream};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("/etc/ssl/plant.example", str(directory / HOST)),
    ):
        assert old in text
        text = text.replace(old, new)
    temporary = "".join(
        f"{each}_temp_path {directory / each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if Path.home() == Path("/root") else ""
    return (
        f"{user} daemon off; pid {directory}/pid; error_log {directory}/error.log;"
        f"events {{}} http {{ access_log off; {temporary} {text} }}"
    )


def certify(directory: Path) -> ssl.SSLContext:
    """Makes a certificate for HOST; returns a context that trusts only it."""
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={HOST} -addext subjectAltName=DNS:{HOST}"
    files = ["-keyout", f"{directory / HOST}.key", "-out", f"{directory / HOST}.crt"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return ssl.create_default_context(cafile=f"{directory / HOST}.crt")


@pytest.fixture(scope="module")
def proxied(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    directory, port = tmp_path_factory.mktemp("nginx"), free_port()
    write_keys(directory / "keys.json", [ApiKey("camera-3", Scope.admin, digest_of(KEY), datetime.now(UTC))])
    settings = Settings(
        models_dir=models_dir,
        device="cpu",
        keys_file=directory / "keys.json",
        allowed_hosts=HOST,
        forwarded_allow_ips="127.0.0.1",
        max_image_bytes=MAX_BYTES,
    )
    context = certify(directory)
    with running(settings) as server:
        (directory / "nginx.conf").write_text(configured(directory, server.url.removeprefix("http://"), port))
        command = [str(NGINX), "-p", str(directory), "-c", str(directory / "nginx.conf")]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            try:
                wait_until(lambda: process.poll() is not None or _listens(port))
                assert process.poll() is None, process.communicate()
                url = f"https://127.0.0.1:{port}"
                context.check_hostname = False  # the name is that of the plant, and the address is loopback
                with httpx2.Client(base_url=url, verify=context, headers={"Host": HOST}, timeout=60) as client:
                    yield Proxied(server, client, port)
            finally:
                process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_picture_is_predicted_with_a_key_only(proxied: Proxied, defect_png: bytes) -> None:
    assert proxied.client.post(PREDICT, content=defect_png).status_code == 401
    answer = proxied.client.post(PREDICT, content=defect_png, headers=BEARER)
    assert answer.status_code == 200 and answer.json()["label"] == "anomalous"
    assert answer.headers["Strict-Transport-Security"] and answer.headers["X-Request-ID"]


@pytest.mark.parametrize("size", [2 * 2**20, MAX_BYTES - 1, MAX_BYTES + 1, 4 * MAX_BYTES])
def test_uploads_of_any_size_get_an_answer_of_the_server(proxied: Proxied, size: int) -> None:
    """By default nginx answers uploads of more than a MiB by an HTML page."""
    answer = proxied.client.post(PREDICT, content=bytes(size), headers=BEARER)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == ("too_many_bytes" if size > MAX_BYTES else "unsupported_image")


def test_a_page_that_nginx_serves_may_post_and_others_may_not(proxied: Proxied) -> None:
    for origin, status in ((f"https://{HOST}", 200), ("https://evil.example", 403)):
        for more in ({}, {"Sec-Fetch-Site": "same-origin" if status == 200 else "cross-site"}):
            answer = proxied.client.post("/v1/reload", headers={"Origin": origin, **more, **BEARER})
            assert answer.status_code == status


def test_the_log_has_the_address_that_nginx_saw(proxied: Proxied, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "tessera.request"):
        proxied.client.get("/v1/models", headers={"X-Forwarded-For": "203.0.113.9", **BEARER})
        wait_until(lambda: "/v1/models" in caplog.text)
    assert "client='127.0.0.1'" in caplog.text and KEY not in caplog.text


def test_a_server_that_is_down_is_a_problem_too(tmp_path: Path) -> None:
    port, context = free_port(), certify(tmp_path)
    context.check_hostname = False
    (tmp_path / "nginx.conf").write_text(configured(tmp_path, f"127.0.0.1:{free_port()}", port))
    with subprocess.Popen([str(NGINX), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]) as process:
        try:
            wait_until(lambda: process.poll() is not None or _listens(port))
            answer = httpx2.get(f"https://127.0.0.1:{port}/v1/models", verify=context)
        finally:
            process.terminate()
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "5"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.text)["status"] == 503


@pytest.mark.skipif(shutil.which("caddy") is None, reason="no Caddy: scripts/install_proxies.sh installs one")
def test_caddy_accepts_its_configuration(tmp_path: Path) -> None:
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(ROOT / "examples/proxy/Caddyfile")]
    done = subprocess.run(command, capture_output=True, text=True, env={"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr

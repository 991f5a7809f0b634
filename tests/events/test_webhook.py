import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from random import Random
from threading import Thread
from time import monotonic
from urllib.parse import urlsplit

import pytest

from app.errors import InvalidSink, NotDelivered
from app.events import Outlets, backoff, parse_addresses, sinks_of
from app.events.signature import Keys
from app.events.webhook import WebhookSink
from tests.events.conftest import Counted
from tests.events.making import certificate, event
from tests.events.receiving import SECRET, Answer, receiver
from tests.waiting import wait_until

OTHER = "whsec_" + SECRET.removeprefix("whsec_")[::-1].replace("=", "") + "="

TELL_AND_DIE = """
import os, signal, sys
from pathlib import Path
from app.events import Outlets, sinks_of
from tests.events.conftest import Counted
from tests.events.making import event

outlets = Outlets(sinks_of(sys.argv[1]), Path(sys.argv[2]), 10**8, Counted())
outlets.start()
for number in range(100):
    each = event(number)
    outlets.tell(each).result()
    print(each.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
"""Tells 100 events, and prints their ids."""


def sink(url: str, secret: str = SECRET, timeout_s: float = 5.0) -> WebhookSink:
    return WebhookSink("webhook", urlsplit(url), Keys(lambda: secret), None, timeout_s)


def test_an_event_arrives_signed_over_one_connection() -> None:
    events = [event(number) for number in range(3)]
    with receiver() as received:
        webhook = sink(received.url)
        for each in events:
            webhook.send(each)
        webhook.close()
    assert (received.forged, received.requests) == (0, 3)
    assert [received.bodies[each.id]["number"] for each in events] == [0, 1, 2]


def test_the_signature_is_that_of_the_scheme() -> None:
    """The vector is that of the libraries of Standard Webhooks, tests/test_webhooks.py of 1.0.0."""
    from app.events.event import Event

    one = Event("msg_p5jXN8AQM9LWM0D4loKWxJek", "", "", b'{"test": 2432232314}')
    headers = Keys(lambda: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").headers(one, 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_during_a_rotation_both_secrets_sign() -> None:
    with receiver() as received:
        webhook = sink(received.url, f"{OTHER}\n{SECRET}\n")
        webhook.send(event(0))
        webhook.close()
    assert (received.forged, len(received.bodies)) == (0, 1)


@pytest.mark.parametrize(
    ("answer", "words", "asked_s"),
    [
        ((500, {}), "it answers 500", None),
        ((302, {"Location": "/elsewhere"}), "redirects are not followed", None),
        ((429, {"Retry-After": "7"}), "it answers 429", 7.0),
        ((503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), "it answers 503", 0.0),
        ((0, {}), "RemoteDisconnected", None),
    ],
)
def test_other_answers_are_failures(answer: Answer, words: str, asked_s: float | None) -> None:
    with receiver(lambda _: answer) as received:
        webhook = sink(received.url)
        with pytest.raises(NotDelivered, match=words) as caught:
            webhook.send(event(0))
        webhook.close()
    assert caught.value.retry_after_s == asked_s
    assert received.requests == (2 if answer[0] == 0 else 1)  # a redirect is not followed


def test_a_certificate_is_verified_by_the_authorities_that_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    made = certificate(tmp_path)
    with receiver(certified=made) as received:
        (known,) = parse_addresses(f"{received.url}#secret_env=WEBHOOK_SECRET&ca_file={made}")
        (unknown,) = parse_addresses(f"{received.url}#secret_env=WEBHOOK_SECRET")
        for address in (known, unknown):
            sink = address.sink()
            with (
                pytest.raises(NotDelivered, match="CERTIFICATE_VERIFY_FAILED") if address is unknown else nullcontext()
            ):
                sink.send(event(1))
            sink.close()
    assert len(received.bodies) == 1


def test_a_receiver_that_is_slow_by_every_byte_ends_after_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                for _ in range(100):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
                    if connection.recv(65536) == b"":
                        return

        thread = Thread(target=drip)
        thread.start()
        started_s = monotonic()
        webhook = sink(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout_s=0.3)
        with pytest.raises(NotDelivered):
            webhook.send(event(0))
        assert monotonic() - started_s < 3
        thread.join()


def test_nothing_is_lost_and_ids_stay_the_same_if_every_second_answer_fails_and_the_sender_is_killed(
    tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kinds of failures: an error, no answer, and an answer that comes although the event was accepted before."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setattr(backoff, "FIRST_S", 0.01)
    chance = Random(0)  # noqa: S311 - no secret

    def decide(_: int) -> Answer:
        return chance.choice((204, 204, 500, 0)), {}

    with receiver(decide) as received:
        address = f"{received.url}#secret_env=WEBHOOK_SECRET"
        done = subprocess.run(
            [sys.executable, "-c", TELL_AND_DIE, address, str(tmp_path)], capture_output=True, text=True, check=False
        )
        told = done.stdout.split()
        assert (done.returncode, len(told)) == (-9, 100), done.stderr
        outlets = Outlets(sinks_of(address), tmp_path, 10**8, counted)
        outlets.start()
        more = [event(number) for number in range(100, 120)]
        for each in more:
            outlets.tell(each)
        wait_until(lambda: sum(each.count for each in outlets.waiting()) == 0)
        outlets.stop()
    assert received.bodies.keys() == {*told, *(each.id for each in more)}
    assert sorted(body["number"] for body in received.bodies.values()) == list(range(120))
    assert counted.failed > 0 and counted.dropped == []


@pytest.mark.parametrize(
    ("secret", "words"),
    [("", "is empty"), ("whsec_!!", "not in base64"), ("whsec_c2hvcnQ=", "at least 24")],
)
def test_a_secret_that_cannot_sign_is_refused_at_the_start(tmp_path: Path, secret: str, words: str) -> None:
    (tmp_path / "secret").write_text(secret)
    (address,) = parse_addresses(f"http://127.0.0.1/#secret_file={tmp_path / 'secret'}")
    with pytest.raises(InvalidSink, match=words):
        address.sink()

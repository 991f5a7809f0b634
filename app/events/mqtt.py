"""A sink that publishes events to an MQTT broker."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote

from app.errors import InvalidSink, NotDelivered
from app.events.event import Event
from app.events.sink import TIMEOUT_S

if TYPE_CHECKING:
    from paho.mqtt.client import Client

PORT, TLS_PORT = 1883, 8883
KEEPALIVE_S = 30


class MqttSink:
    """Publishes each event with QoS 1: it is delivered when the broker has acknowledged it. MQTT 3.1.1, not retained.

    password: reads the password, for each connection
    context: TLS; None: without

    After any failure the connection and what it holds are dropped, so that an event is not sent by two queues.
    """

    def __init__(
        self,
        name: str,
        url: SplitResult,
        topic: str,
        password: Callable[[], str] | None,
        client_id: str,
        context: ssl.SSLContext | None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        try:
            import paho.mqtt.client  # noqa: F401 - an optional package
        except ImportError as error:
            raise InvalidSink("MQTT needs the package paho-mqtt: pip install paho-mqtt") from error
        self.name, self.parallel = name, 1
        self._url, self._topic, self._password, self._client_id = url, unquote(topic), password, client_id
        self._context, self._timeout_s = context, timeout_s
        self._client: Client | None = None
        self._heard: SimpleQueue[tuple[str, object]] = SimpleQueue()

    def send(self, event: Event) -> None:
        try:
            if self._client is None:
                self._client = self._connected()
            sent = self._client.publish(self._topic, event.body, qos=1)
            self._wait_for("published", sent.mid)
        except (OSError, ValueError, KeyError) as error:
            self.close()
            raise NotDelivered(f"{type(error).__name__}: {error}") from error
        except NotDelivered:
            self.close()
            raise

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            _end(client)

    def _connected(self) -> "Client":
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        heard: SimpleQueue[tuple[str, object]] = SimpleQueue()  # a new one, without what the last connection said
        client = Client(CallbackAPIVersion.VERSION2, self._client_id, protocol=MQTTv311, reconnect_on_failure=False)
        client.on_connect = lambda _c, _u, _f, code, _p: heard.put(
            ("refused" if code.is_failure else "connected", code)
        )
        client.on_publish = lambda _c, _u, number, _r, _p: heard.put(("published", number))
        client.on_disconnect = lambda _c, _u, _f, code, _p: heard.put(("disconnected", code))
        if self._context is not None:
            client.tls_set_context(self._context)
        if self._url.username:
            client.username_pw_set(unquote(self._url.username), self._password().strip() if self._password else None)
        client.connect_timeout = self._timeout_s
        port = self._url.port or (PORT if self._context is None else TLS_PORT)
        client.connect(self._url.hostname or "", port, KEEPALIVE_S)
        client.loop_start()
        self._heard = heard
        try:
            self._wait_for("connected", None)
        except NotDelivered:
            _end(client)
            raise
        return client

    def _wait_for(self, wanted: str, value: object) -> None:
        deadline_s = monotonic() + self._timeout_s
        while True:
            try:
                what, found = self._heard.get(timeout=max(deadline_s - monotonic(), 0.001))
            except Empty as error:
                raise NotDelivered(f"the broker says nothing for {self._timeout_s:g} s") from error
            if what == wanted and value in (None, found):
                return
            if what in ("refused", "disconnected"):
                raise NotDelivered(f"the broker has {what}: {found}")


def _end(client: "Client") -> None:
    with suppress(OSError, ValueError):
        client.disconnect()
    client.loop_stop()

"""An alarm of a camera is told to the sinks."""

import json
from concurrent.futures import Future

from app.api.camera_alarms import tell_change
from app.drift import CameraChanged, Change
from app.events import Event


class Outlet:
    """Keeps what it is told."""

    wanted = True

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> Future[None]:
        self.events.append(event)
        return Future()


def test_an_alarm_becomes_an_event() -> None:
    outlet = Outlet()
    tell_change(outlet, CameraChanged("surface", 3, (Change.dirt,), True, None, ((0, 2),), 40, 31))
    (event,) = outlet.events
    body = json.loads(event.body)
    assert (event.type, event.id, event.time) == (body["type"], body["id"], body["time"])
    assert event.type == "tessera.camera_changed.v1"
    assert (body["model"], body["version"]) == ("surface", 3)
    assert body["change"]["changes"] == ["dirt"]
    assert body["change"]["positions"] == [{"row": 0, "column": 2}]

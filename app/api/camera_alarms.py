"""Tells alarms of the comparison of cameras to other programs."""

from app.api.schemas.camera import CAMERA_CHANGED, CameraChangeBody, CameraChangedBody
from app.api.verdicts import Outlet
from app.drift import CameraChanged
from app.events import Event, new_id, now


def tell_change(outlet: Outlet, event: CameraChanged) -> None:
    """Hands an alarm to the outlet, without waiting until it is stored."""
    change = CameraChangeBody.of(event)
    body = CameraChangedBody(id=new_id(), time=now(), model=event.model, version=event.version, change=change)
    outlet.tell(Event(body.id, CAMERA_CHANGED, body.time, body.model_dump_json().encode()))

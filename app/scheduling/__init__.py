"""Who runs the stages, and when: admission by tiles, and the thread that owns the device."""

from app.scheduling.admission import Admission, Ticket
from app.scheduling.observer import Observer, SilentObserver
from app.scheduling.worker import DeviceWorker, Done

__all__ = ["Admission", "DeviceWorker", "Done", "Observer", "SilentObserver", "Ticket"]

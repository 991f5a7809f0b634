"""Runs the stages of predictions: admission control by tiles, and the threads that own the devices."""

from app.scheduling.admission import Admission, Ticket
from app.scheduling.job import size_class
from app.scheduling.observer import End, Observer, SilentObserver
from app.scheduling.picture import Done
from app.scheduling.worker import STUCK_AFTER_S, DeviceWorker

__all__ = [
    "STUCK_AFTER_S",
    "Admission",
    "DeviceWorker",
    "Done",
    "End",
    "Observer",
    "SilentObserver",
    "Ticket",
    "size_class",
]

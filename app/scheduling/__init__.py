"""Runs the stages of predictions: the queue of pictures, and the threads that own the devices."""

from app.scheduling.bands import worker_bands
from app.scheduling.blocks import BlockWork, CoarsePicture, JoinWork
from app.scheduling.evidence import EvidenceWork
from app.scheduling.job import Job
from app.scheduling.observer import End, Observer, SilentObserver
from app.scheduling.picture import BandWork, Done, ShadowPicture
from app.scheduling.worker import STUCK_AFTER_S, DeviceWorker

__all__ = [
    "STUCK_AFTER_S",
    "BandWork",
    "BlockWork",
    "CoarsePicture",
    "DeviceWorker",
    "Done",
    "End",
    "EvidenceWork",
    "Job",
    "JoinWork",
    "Observer",
    "ShadowPicture",
    "SilentObserver",
    "worker_bands",
]

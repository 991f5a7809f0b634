"""Predictions of pictures of any size, which outlive their request: jobs."""

from app.jobs.asked import AskedJob, AskedPicture
from app.jobs.forms import Forms
from app.jobs.jobs import JobPlaces, Jobs
from app.jobs.limits import JobLimits
from app.jobs.parts import Part
from app.jobs.tiles import Layer, Pyramid

__all__ = ["AskedJob", "AskedPicture", "Forms", "JobLimits", "JobPlaces", "Jobs", "Layer", "Part", "Pyramid"]

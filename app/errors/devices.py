"""Errors of devices and of what they compute."""

from app.errors.base import TesseraError


class InvalidDevice(TesseraError):
    """The device is unknown or absent, or does not support the precision."""

    code = "invalid_device"
    status = 500


class NotFinite(TesseraError):
    """The model computed numbers that are not finite, so that the picture has no score."""

    code = "not_finite"
    status = 503
    retry_within_s = 5
    when = "the model computed NaN or infinity for the picture; the device is then tested"
    example = "the model computed NaN or infinity for this picture, so that it has no score; send the picture again"


class DeviceFailed(TesseraError):
    """The device failed while it had the picture in work, or no device works."""

    code = "device_failed"
    status = 503
    retry_within_s = 10
    when = "the device that had the picture in work failed, or no device works; `/readyz` says why"
    example = "cpu has computed one unit of work for 130 s, of at most 120 s, and is given up; send the picture again"


class EngineStopped(TesseraError):
    """The device owner no longer takes work."""

    code = "engine_stopped"
    status = 503
    retry_within_s = 10
    when = "the server is shutting down"
    example = "the server is shutting down; try again in a few seconds"

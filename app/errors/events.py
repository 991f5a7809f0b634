"""Errors of verdicts and other events: where they are recorded or sent to, and their delivery."""

from app.errors.base import TesseraError


class InvalidSink(TesseraError):
    """A sink of events is not one that is known, or its options cannot work."""

    code = "invalid_sink"
    status = 500


class InvalidRecord(TesseraError):
    """The record of verdicts cannot be written, or another process writes it."""

    code = "invalid_record"
    status = 500


class NotDelivered(TesseraError):
    """A sink did not take an event; it is tried again.

    retry_after_s: the wait that the receiver asks for; None: it does not ask
    """

    code = "not_delivered"
    status = 500

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

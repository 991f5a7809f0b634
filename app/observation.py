"""Passes what happens to pictures and requests to the metrics, the log, the record of verdicts and the traces."""

from collections.abc import Callable, Sequence
from time import time

from app.api import RequestRecord
from app.api.request_context import current_request
from app.decoders.pool import Replaced
from app.logs import log_request
from app.metrics import Metrics
from app.pipeline import DefectRegion
from app.records import Line, VerdictRecord
from app.service import Verdict


class Observation:
    """Observes the predictor and the requests. None of its calls waits.

    record: the record of verdicts; None: none is kept
    trace: makes the spans of a request; None: none are made
    """

    def __init__(
        self, metrics: Metrics, record: VerdictRecord | None, trace: Callable[[RequestRecord], None] | None
    ) -> None:
        self._metrics, self._record, self._trace = metrics, record, trace

    def answered(self, verdict: Verdict, regions: Sequence[DefectRegion]) -> None:
        self._metrics.answered(verdict)
        request = current_request()
        if request is not None:
            request.verdicts.append(verdict)
        if self._record is not None:
            self._record.add(Line(time(), request.request_id if request else "", verdict, regions))

    def deadline_missed(self) -> None:
        self._metrics.deadline_missed()

    def decoder_replaced(self, reason: Replaced) -> None:
        self._metrics.decoder_replaced(reason)

    def request_done(self, request: RequestRecord) -> None:
        """A request has ended."""
        self._metrics.request_done(request)
        log_request(request)
        if self._trace is not None:
            self._trace(request)

    def notes(self) -> list[str]:
        """What is wrong, although pictures can be predicted."""
        return [self._record.problem] if self._record is not None and self._record.problem else []

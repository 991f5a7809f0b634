"""OpenTelemetry traces of requests, by the extra `otel`."""

import os
from collections.abc import Callable
from threading import Thread
from time import monotonic, time_ns
from typing import TYPE_CHECKING

from app.api import RequestRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

MISSING = (
    "traces_endpoint needs OpenTelemetry: pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http, or "
    "leave the setting out"
)


FINISH_S = 0.5
"""The most time that the end of the server waits for the collector."""


def otlp_exporter(endpoint: str) -> "SpanExporter":
    """Sends spans to a collector (OTLP over HTTP). Raises ImportError without the extra."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint)


def tracer(exporter: "SpanExporter") -> tuple[Callable[[RequestRecord], None], Callable[[], None]]:
    """A function that makes the spans of a request that has ended, and one that exports the last spans.

    A request with pictures has one span, which continues the trace of the request's `traceparent`. Its children are
    `receive`, and for each picture `decode`, `queue`, `device` and `render`. Their durations are measured. They lie one
    after the other, although a picture waits in several places: `queue` is the sum. At most 2048 spans wait for the
    exporter; further ones are dropped. `OTEL_*` variables set the sampling and the resource.
    """
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    name = os.environ.get("OTEL_SERVICE_NAME", "tessera")
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    spans, propagator = provider.get_tracer("tessera"), TraceContextTextMapPropagator()

    def trace(request: RequestRecord) -> None:
        if not request.verdicts:
            return
        offset_ns = time_ns() - _ns(monotonic())  # of the wall clock and the clock of the durations
        begin = offset_ns + _ns(request.started_s)
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "http.route": request.route,
            "http.response.status_code": request.status,
            "tessera.request_id": request.request_id,
        }
        whole = spans.start_span(
            f"{request.method} {request.route}",
            propagator.extract(request.trace),
            SpanKind.SERVER,
            attributes,
            start_time=begin,
        )
        if request.status >= 500:
            whole.set_status(StatusCode.ERROR, request.code)
        inside = set_span_in_context(whole)
        received = offset_ns + _ns(min(each.started_s for each in request.verdicts))
        spans.start_span("receive", inside, start_time=begin).end(received)
        for verdict in request.verdicts:
            times, at = verdict.timings, offset_ns + _ns(verdict.started_s)
            judged: dict[str, str | int | float] = {
                "tessera.model": verdict.model,
                "tessera.version": verdict.version,
                "tessera.digest": verdict.digest,
                "tessera.tiles": verdict.tiles,
                "tessera.label": verdict.label.value,
                "tessera.score": verdict.score,
            }
            stages = {
                "decode": times.decode_s,
                "queue": times.queue_s,
                "device": times.device_s,
                "render": times.render_s,
            }
            for stage, seconds in stages.items():
                span = spans.start_span(stage, inside, attributes=judged, start_time=at)
                at += _ns(seconds)
                span.end(at)
        whole.end(begin + _ns(request.seconds))

    def finish() -> None:
        thread = Thread(target=provider.shutdown, name="tessera-traces", daemon=True)
        thread.start()
        thread.join(FINISH_S)

    return trace, finish


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)

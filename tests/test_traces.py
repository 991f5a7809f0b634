"""The spans of requests."""

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.api import RequestRecord
from app.pipeline import Label
from app.service import Timings, Verdict
from app.traces import tracer

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
VERDICT = Verdict(
    "surface", 2, "d" * 64, None, (96, 160), 6, 0.75, 0.5, Label.anomalous, Timings(0.1, 0.2, 0.3, 0.4, 1.0), 10.5
)


def spans(request: RequestRecord) -> dict[str, ReadableSpan]:
    exporter = InMemorySpanExporter()
    trace, finish = tracer(exporter)
    trace(request)
    finish()
    return {span.name: span for span in exporter.get_finished_spans()}


def request(status: int, *verdicts: Verdict) -> RequestRecord:
    route = "/v1/models/{model}/predict"
    return RequestRecord(
        "POST",
        "/p",
        route,
        "surface",
        status,
        seconds=2.0,
        client="c",
        request_id="id",
        started_s=10.0,
        verdicts=verdicts,
        trace={"traceparent": PARENT},
    )


def test_a_request_continues_its_trace_with_a_span_for_each_stage() -> None:
    found = spans(request(200, VERDICT))
    whole = found.pop("POST /v1/models/{model}/predict")
    assert whole.context is not None and whole.parent is not None
    assert (
        f"{whole.context.trace_id:x}" == PARENT.split("-")[1] and f"{whole.parent.span_id:016x}" == PARENT.split("-")[2]
    )
    assert list(found) == ["receive", "decode", "queue", "device", "render"]
    lengths = {}
    for name, span in found.items():
        assert span.parent is not None and span.parent.span_id == whole.context.span_id
        assert span.start_time is not None and span.end_time is not None
        lengths[name] = round((span.end_time - span.start_time) / 1e9, 3)
    assert lengths == {"receive": 0.5, "decode": 0.1, "queue": 0.2, "device": 0.3, "render": 0.4}
    assert found["device"].attributes is not None and found["device"].attributes["tessera.label"] == "anomalous"


def test_requests_without_pictures_have_no_spans() -> None:
    assert not spans(request(404))

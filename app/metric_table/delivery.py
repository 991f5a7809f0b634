"""Verdicts on their way to the record and to the sinks."""

from app.metric_table.info import MetricInfo

RECORD_LINES = MetricInfo(
    "tessera_verdict_record_lines",
    "counter",
    "lines",
    "Lines of the record of verdicts by result: written, or dropped because the queue of lines was full",
    "Any rise of dropped: the record lacks verdicts; the disk is full or too slow. See /readyz and the log.",
    ("result",),
)
RECORD_WAITING = MetricInfo(
    "tessera_verdict_record_waiting",
    "gauge",
    "lines",
    "Lines of the record of verdicts that are not written yet",
    "Above 0 for a minute: the file cannot be written; from 10,000 on, lines are dropped.",
)
EVENTS = MetricInfo(
    "tessera_events",
    "counter",
    "events",
    "Events, such as verdicts, by sink and result: delivered; failed (an attempt, which is repeated); lost: full (the "
    "oldest of a full queue) or disk (the spool took none)",
    "full or disk: events are lost, see the log. More failed than delivered: the sink is down, or refuses.",
    ("sink", "result"),
)
EVENTS_WAITING = MetricInfo(
    "tessera_events_waiting",
    "gauge",
    "events",
    "Events that wait for a sink",
    "A steady rise: the sink is down, or slower than the verdicts; at spool_bytes the oldest are lost.",
    ("sink",),
)
EVENTS_AGE = MetricInfo(
    "tessera_events_oldest_seconds",
    "gauge",
    "seconds",
    "Age of the oldest event that waits for a sink; 0: none waits",
    "Above a few minutes: the sink takes nothing, or refuses one event; see the log.",
    ("sink",),
)

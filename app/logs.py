"""The log: lines for people, or one JSON object a line, and the line of each request."""

import json
import logging
from datetime import UTC, datetime

from app.api import RequestRecord
from app.pipeline import Label
from app.shown import LONGEST, printable

QUIET = frozenset({"/livez", "/readyz", "/metrics"})
"""The routes of probes."""
_PAGE = ("/page", "/docs")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
WORST_FIRST = Label.anomalous, Label.undecided, Label.normal
_DIGEST = 12
"""The characters of a digest in a line for people."""

_log = logging.getLogger("tessera.request")


class TextFormatter(logging.Formatter):
    """One line for each message: control characters are escaped, and the lines of tracebacks are indented.

    So a value that a client sent cannot look like a line of its own.
    """

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]  # the tuple of sys.exc_info
        return "\n".join(f"    {printable(line)}" for line in lines)


class JsonFormatter(logging.Formatter):
    """One JSON object (RFC 8259) a line, in ASCII. Requests have the fields of `request_fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """The object of a message: time (RFC 3339), level, logger, message, and the traceback of an exception."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields = getattr(record, "fields", None)
        entry |= {"message": record.getMessage()} if fields is None else {"message": "request", **fields}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def log_request(request: RequestRecord) -> None:
    """Logs one line for a request: at INFO, or at DEBUG for probes and for the page's own files."""
    level = logging.DEBUG if _is_quiet(request) else logging.INFO
    if not _log.isEnabledFor(level):
        return
    fields = request_fields(request)
    _log.log(level, "%s", _line(request, fields), extra={"fields": fields})


def request_fields(request: RequestRecord) -> dict[str, object]:
    """What the log says of a request; a field that does not apply is absent.

    Of several pictures: times and tiles are sums, the score is the highest, and the label is anomalous if one is, else
    undecided if one is. `share` is the smallest share of a picture that was looked at, unless all were completely.
    """
    fields: dict[str, object] = {
        "method": request.method[:LONGEST],
        "path": request.path[:LONGEST],
        "route": request.route,
        "status": request.status,
        "ms": _ms(request.seconds),
        "client": request.client,
        "request_id": request.request_id,
        "key": request.key,
        "model": request.model and request.model[:LONGEST],
        "code": request.code or None,
    }
    verdicts = request.verdicts
    if verdicts:
        first, worst = verdicts[0], max(verdicts, key=lambda each: each.score)
        labels = [each.label for each in verdicts]
        fields |= {
            "model": first.model,
            "version": first.version,
            "digest": first.digest,
            "height": first.size[0] if len(verdicts) == 1 else None,
            "width": first.size[1] if len(verdicts) == 1 else None,
            "pictures": len(verdicts),
            "anomalous": labels.count(Label.anomalous),
            "tiles": sum(each.tiles for each in verdicts),
            "receive_ms": _ms(min(each.started_s for each in verdicts) - request.started_s),
            "decode_ms": _ms(sum(each.timings.decode_s for each in verdicts)),
            "queue_ms": _ms(sum(each.timings.queue_s for each in verdicts)),
            "device_ms": _ms(sum(each.timings.device_s for each in verdicts)),
            "render_ms": _ms(sum(each.timings.render_s for each in verdicts)),
            "label": next(each for each in WORST_FIRST if each in labels).value,
            "share": None
            if all(each.share == 1 for each in verdicts)
            else round(min(each.share for each in verdicts), 4),
            "score": round(worst.score, 6),
            "threshold": worst.threshold,
        }
    return {name: value for name, value in fields.items() if value is not None}


def _line(request: RequestRecord, fields: dict[str, object]) -> str:
    """The line for people."""
    line = (
        f"{fields['method']} {fields['path']!r} model={request.model and request.model[:LONGEST]!r} "
        f"status={request.status} ms={1000 * request.seconds:.1f} client={request.client!r} id={request.request_id}"
    )
    if request.key is not None:
        line += f" key={request.key!r}"
    if request.code:
        line += f" code={request.code}"
    if not request.verdicts:
        return line
    digest, size = (
        str(fields["digest"])[:_DIGEST],
        f"{fields['width']}x{fields['height']}" if "height" in fields else "-",
    )
    told = ("pictures", "anomalous", "tiles", "receive_ms", "decode_ms", "queue_ms", "device_ms", "render_ms", "label")
    rest = " ".join(f"{name}={fields[name]}" for name in told)
    rest += f" share={fields['share']}" if "share" in fields else ""
    served = f"{fields['model']}/{fields['version']}"
    return f"{line} served={served} digest={digest} size={size} {rest} score={fields['score']}"


def _is_quiet(request: RequestRecord) -> bool:
    if request.route in QUIET:
        return True
    return request.status < 400 and (request.route == "/" or request.path.startswith(_PAGE))


def _ms(seconds: float) -> float:
    return round(1000 * max(seconds, 0.0), 3)

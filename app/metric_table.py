"""Every Prometheus metric of the server, as `/metrics` and docs/metrics.md describe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LOAD_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
SCORES = (0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Every model's calibrated threshold is the score 0.5."""
TILES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """A metric, and how to read it.

    name: the name in `/metrics`, which appends `_total` to the name of a counter
    kind: the type of the metric
    unit: the unit of the value
    help: what is measured
    change: what a rise or a fall of the value means
    labels: the names of the labels
    buckets: the upper bounds of a histogram's buckets
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    change: str
    labels: Sequence[str] = ()
    buckets: Sequence[float] = ()

    @property
    def exposed(self) -> str:
        """The name in queries."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


REQUESTS = MetricInfo(
    "tessera_requests",
    "counter",
    "requests",
    "Requests by method, route and status",
    "The rate is the load. More 429 than before: the queue is full, add devices or servers. 5xx: see the log.",
    ("method", "route", "status"),
)
REQUEST_SECONDS = MetricInfo(
    "tessera_request_seconds",
    "histogram",
    "seconds",
    "Duration of requests, from the first byte received to the last byte sent",
    "It rises with the queue, with larger pictures and with slow clients.",
    ("route",),
    SECONDS,
)
CONNECTIONS = MetricInfo(
    "tessera_connections",
    "gauge",
    "connections",
    "Open connections",
    "Near max_connections: clients keep connections open, or the server is attacked.",
)
LIMITED_CONNECTIONS = MetricInfo(
    "tessera_connections_limited",
    "counter",
    "connections",
    "Connections that were closed, and requests that were refused, because of a limit, by reason: head, body, answer "
    "(the client was too slow), room (closed for newer ones), requests (too many in progress), invalid (not HTTP), "
    "files (no free file)",
    "A rise: slow or faulty clients, an attack, or too small a max_connections. The log has a summary every 10 s.",
    ("reason",),
)
STAGE_SECONDS = MetricInfo(
    "tessera_stage_seconds",
    "histogram",
    "seconds",
    "Duration of a picture's stages by model: decode, queue, device, render",
    "The stage that grows names the limit: decode and render are processors (decode_processes), device is the device, "
    "queue is the wait for either.",
    ("model", "stage"),
    SECONDS,
)
VERDICTS = MetricInfo(
    "tessera_verdicts",
    "counter",
    "pictures",
    "Pictures that were judged, by model, version and label: normal or anomalous, by the threshold of the request; "
    "undecided: only a part was looked at within the time limit (partial=true), and it is not anomalous",
    "The share of anomalous is the reject rate. A jump: the product, the light or the camera changed. No rise: no "
    "pictures come in.",
    ("model", "version", "label"),
)
SCORES_GIVEN = MetricInfo(
    "tessera_score",
    "histogram",
    "score",
    "Normalised scores of pictures by model and version, without pictures of which only a part was looked at; the "
    "calibrated threshold of every model is 0.5",
    "A slow shift upwards while the product is the same: lamp, lens or camera. Near 0.5: false alarms are near.",
    ("model", "version"),
    SCORES,
)
TILES_RUN = MetricInfo(
    "tessera_tiles",
    "counter",
    "tiles",
    "Tiles that the devices ran",
    "The rate is the throughput. It falls with the load, or when a device got slower.",
)
TILES_ROOM = MetricInfo(
    "tessera_tiles_room",
    "counter",
    "tiles",
    "Tiles that the batches could have held",
    "tessera_tiles_total divided by this is how full batches are: near 1 under load, less when pictures come singly.",
)
BATCH_TILES = MetricInfo(
    "tessera_batch_tiles",
    "histogram",
    "tiles",
    "Tiles per batch",
    "Smaller batches under the same load: pictures come more singly, or memory is short.",
    (),
    TILES,
)
FAILED_BATCHES = MetricInfo(
    "tessera_failed_batches",
    "counter",
    "batches",
    "Batches that failed, and were divided or given up",
    "Any rise: a picture that cannot be computed, memory that is short, or a device that fails. See the log.",
)
BUSY_SECONDS = MetricInfo(
    "tessera_device_busy_seconds",
    "counter",
    "seconds",
    "Time for which the lanes of a device computed, by work: batches of tiles, or steps of single pictures",
    "The rate divided by tessera_device_lanes is the busy share of the device; near 1 it is the limit.",
    ("device", "work"),
)
LANES = MetricInfo(
    "tessera_device_lanes",
    "gauge",
    "lanes",
    "The number of lanes of a device; each computes one unit of work at a time",
    "It does not change while the server runs.",
    ("device",),
)
IN_FLIGHT = MetricInfo(
    "tessera_pictures_in_flight",
    "gauge",
    "pictures",
    "Pictures that devices have in work",
    "It stays small under any load: the others wait in the queue.",
)
ENDS = MetricInfo(
    "tessera_device_pictures",
    "counter",
    "pictures",
    "Pictures that devices had in work, by their end: done, failed, or dropped",
    "More dropped: clients leave or their time limits end. More failed: see the log.",
    ("end",),
)
NOT_FINITE = MetricInfo(
    "tessera_not_finite_pictures",
    "counter",
    "pictures",
    "Pictures for which a device computed NaN or infinity, by device",
    "Any rise: the device or a precision is at fault; such pictures get 503 not_finite. See the log.",
    ("device",),
)
DEADLINES = MetricInfo(
    "tessera_deadlines_missed",
    "counter",
    "pictures",
    "Pictures that were not answered within their time limit",
    "A rise: the queue is longer than clients wait. Add devices or servers, or lower queue_tiles.",
)
PARTIAL = MetricInfo(
    "tessera_partial_answers",
    "counter",
    "pictures",
    "Pictures that were answered at their time limit with the part that was looked at (partial=true)",
    "A rise: the device has less time for each picture. Allow more time, or add devices or servers.",
)
DECODERS_REPLACED = MetricInfo(
    "tessera_decoders_replaced",
    "counter",
    "processes",
    "Processes that read pictures and were replaced, by reason: given_up (the deadline passed, or the client left), "
    "processor_time or memory (over the limit of the picture), crash, killed (by the system)",
    "crash, processor_time or memory: damaged or hostile pictures; the log has the requests. killed: memory is short.",
    ("reason",),
)
QUEUE_TILES = MetricInfo(
    "tessera_queue_tiles",
    "gauge",
    "tiles",
    "Tiles that wait or run",
    "A queue that never empties needs more devices or servers; scale by it.",
)
QUEUE_SECONDS = MetricInfo(
    "tessera_queue_seconds",
    "gauge",
    "seconds",
    "Expected time until the tiles that wait or run are computed, by the recent rate; 0 before the first measurement",
    "The wait of the next picture. Longer than clients wait: add devices or servers, or lower queue_tiles.",
)
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
BUDGET_USED = MetricInfo(
    "tessera_budget_used",
    "gauge",
    "bytes or tiles",
    "The used part of each budget, by the setting that limits it; a large picture counts in queue_tiles by its share",
    "Near tessera_budget_limit of the same setting, requests get 429, or wait (max_work_bytes).",
    ("limit",),
)
BUDGET_LIMIT = MetricInfo(
    "tessera_budget_limit",
    "gauge",
    "bytes or tiles",
    "The limit of each budget, by its setting",
    "It does not change while the server runs.",
    ("limit",),
)
REFUSALS = MetricInfo(
    "tessera_refusals",
    "counter",
    "requests, or pictures of a batch",
    "Refusals with 413 or 429, by the setting that holds the limit",
    "queue_tiles: add devices or servers. max_waiting_bytes: slow clients, or memory that is short. Others: pictures "
    "that are larger than the limits.",
    ("limit",),
)
RETURNS = MetricInfo(
    "tessera_retry_returns",
    "counter",
    "requests",
    "Refused requests that came back when Retry-After had told them to, by result: admitted or refused",
    "More refused than a fifth of all: the server got slower than it was when it promised.",
    ("limit", "result"),
)
MODELS = MetricInfo(
    "tessera_models",
    "gauge",
    "versions",
    "Versions of models by state: loading, ready, failed",
    "failed above 0: a version was refused; GET /v1/models says why.",
    ("state",),
)
HEALTHY = MetricInfo(
    "tessera_device_healthy",
    "gauge",
    "0 or 1",
    "1 if the device works",
    "0: the device failed and takes no picture until it passes a test with a golden sample. See the log.",
    ("device",),
)
LOADS = MetricInfo(
    "tessera_model_loads",
    "counter",
    "versions",
    "Versions that were loaded or refused, by result: ready, or the code of the error",
    "A rise of another result than ready: a version was refused.",
    ("result",),
)
LOAD_TIME = MetricInfo(
    "tessera_model_load_seconds",
    "histogram",
    "seconds",
    "Duration of a version's load",
    "It rises with the size of the model, and beside other work, since kernels are measured while a version is loaded.",
    (),
    LOAD_SECONDS,
)
SCANS = MetricInfo(
    "tessera_repository_scans",
    "counter",
    "looks",
    "Readings of the model repository, by result: done, or unreadable",
    "unreadable: models_dir cannot be read; loaded models stay served.",
    ("result",),
)
RELOAD_SECONDS = MetricInfo(
    "tessera_reload_seconds",
    "histogram",
    "seconds",
    "Duration of readings of the model repository, with the loads that they lead to",
    "Above reload_interval_s: new versions are served that much later.",
    (),
    LOAD_SECONDS,
)
MODEL_VERSION = MetricInfo(
    "tessera_model_version",
    "gauge",
    "version number",
    "The version that is served unless one is asked for",
    "A change: another version went live.",
    ("model",),
)
MODEL_INFO = MetricInfo(
    "tessera_model_info",
    "gauge",
    "always 1",
    "1 for each version that is served, with the SHA-256 of its manifest",
    "Another digest of the same version: its files were replaced.",
    ("model", "version", "digest"),
)
MODEL_STAGES = MetricInfo(
    "tessera_model_stage_seconds",
    "counter",
    "seconds",
    "Time of a model's stages on its devices, with the setting stage_times: upload, cut, network, stitch, measure, "
    "map, download",
    "The rate of a stage is its share of a lane. `clock` host is the time of the calling thread, device that of the "
    "GPU; on a CPU they are equal.",
    ("model", "version", "device", "stage", "clock"),
)
CAMERA_CHANGED = MetricInfo(
    "tessera_camera_changed",
    "gauge",
    "0 or 1",
    "1 while the pictures of a version differ from those of its training, by cause: out_of_focus, light, camera_moved, "
    "dirt, surface; none: 0",
    "1: look at the camera, the lamp and the lens; GET /v1/models/{model}/health shows what has changed.",
    ("model", "version", "cause"),
)
CAMERA_EVIDENCE = MetricInfo(
    "tessera_camera_evidence",
    "gauge",
    "pictures",
    "Evidence that the pictures of a version have changed; an alarm is raised at 20,000",
    "Rising for long: a change begins. Without a change, the mean time to an alarm is 20,000 pictures or more.",
    ("model", "version"),
)
CAMERA_ALARMS = MetricInfo(
    "tessera_camera_alarms",
    "counter",
    "alarms",
    "Alarms that the pictures of a version differ from those of its training",
    "Any rise: the camera, the light, the lens or the parts have changed.",
    ("model", "version"),
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
STREAMS = MetricInfo(
    "tessera_streams",
    "gauge",
    "streams",
    "Streams of rows that have not ended, with and without a connection",
    "Fewer than there are cameras: one has not connected. At max_streams: further ones get 429.",
)
STREAM_ROWS = MetricInfo(
    "tessera_stream_rows",
    "counter",
    "rows",
    "Rows of streams that have arrived, by model",
    "The rate is that of the cameras. Below it: a camera stands still, or the device is slower and holds it back.",
    ("model",),
)
STREAM_REGIONS = MetricInfo(
    "tessera_stream_regions",
    "counter",
    "regions",
    "Defect regions of streams that no later row changes, by model",
    "More for each row than before: worse material, or the lamp, the lens or the camera has changed.",
    ("model",),
)

JOBS = MetricInfo(
    "tessera_jobs",
    "gauge",
    "jobs",
    "Jobs by state: uploading, queued, running, done, failed, cancelled, expired",
    "queued rises steadily: jobs come faster than they are done. failed rises: see the jobs' errors.",
    ("state",),
)
JOBS_BYTES = MetricInfo(
    "tessera_jobs_free_bytes",
    "gauge",
    "bytes",
    "Free bytes of the disk of jobs_dir",
    "Near jobs_free_bytes: new jobs are refused (507); delete jobs, or lower jobs_expiry_s.",
)

METRICS = (
    REQUESTS,
    REQUEST_SECONDS,
    CONNECTIONS,
    LIMITED_CONNECTIONS,
    STAGE_SECONDS,
    VERDICTS,
    SCORES_GIVEN,
    TILES_RUN,
    TILES_ROOM,
    BATCH_TILES,
    FAILED_BATCHES,
    BUSY_SECONDS,
    LANES,
    IN_FLIGHT,
    ENDS,
    NOT_FINITE,
    DEADLINES,
    PARTIAL,
    DECODERS_REPLACED,
    QUEUE_TILES,
    QUEUE_SECONDS,
    RECORD_LINES,
    RECORD_WAITING,
    BUDGET_USED,
    BUDGET_LIMIT,
    REFUSALS,
    RETURNS,
    MODELS,
    HEALTHY,
    LOADS,
    LOAD_TIME,
    SCANS,
    RELOAD_SECONDS,
    MODEL_VERSION,
    MODEL_INFO,
    MODEL_STAGES,
    CAMERA_CHANGED,
    CAMERA_EVIDENCE,
    CAMERA_ALARMS,
    EVENTS,
    EVENTS_WAITING,
    EVENTS_AGE,
    STREAMS,
    STREAM_ROWS,
    STREAM_REGIONS,
    JOBS,
    JOBS_BYTES,
)
"""All metrics, in the order of docs/metrics.md."""

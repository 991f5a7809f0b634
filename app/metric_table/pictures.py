"""Pictures: their stages, verdicts and ends, and the processes that read them."""

from app.metric_table.info import SECONDS, MetricInfo

SCORES = (0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Every model's calibrated threshold is the score 0.5."""

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

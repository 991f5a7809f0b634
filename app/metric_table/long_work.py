"""Work that outlives a request: streams of rows, and jobs."""

from app.metric_table.info import MetricInfo

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
PICTURES_KEPT = MetricInfo(
    "tessera_pictures_kept",
    "counter",
    "pictures",
    "Pictures that a rule of pictures_keep chose, by result: kept, known (the store has it), full, dropped, failed",
    "full, failed: see the notes of /readyz. dropped: pictures come faster than the disk takes them.",
    ("result",),
)
KEPT_PICTURES = MetricInfo(
    "tessera_kept_pictures",
    "gauge",
    "pictures",
    "Kept pictures by state: unreviewed, reviewed",
    "unreviewed rises: pictures are kept faster than people review them.",
    ("state",),
)
KEPT_BYTES = MetricInfo(
    "tessera_kept_pictures_bytes",
    "gauge",
    "bytes",
    "Bytes of all kept pictures",
    "At pictures_bytes: the oldest pictures without a review are removed for new ones.",
)
JOBS_BYTES = MetricInfo(
    "tessera_jobs_free_bytes",
    "gauge",
    "bytes",
    "Free bytes of the disk of jobs_dir",
    "Near jobs_free_bytes: new jobs are refused (507); delete jobs, or lower jobs_expiry_s.",
)

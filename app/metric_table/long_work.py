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
JOBS_BYTES = MetricInfo(
    "tessera_jobs_free_bytes",
    "gauge",
    "bytes",
    "Free bytes of the disk of jobs_dir",
    "Near jobs_free_bytes: new jobs are refused (507); delete jobs, or lower jobs_expiry_s.",
)

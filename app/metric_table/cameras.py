"""Whether the pictures are still those of the training."""

from app.metric_table.info import MetricInfo

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

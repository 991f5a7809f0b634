"""Devices: their tiles, their time and their state."""

from app.metric_table.info import MetricInfo

TILES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

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
HEALTHY = MetricInfo(
    "tessera_device_healthy",
    "gauge",
    "0 or 1",
    "1 if the device works",
    "0: the device failed and takes no picture until it passes a test with a golden sample. See the log.",
    ("device",),
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

"""The sizes of the measurements: full on a GPU, or the same steps with small sizes on any machine."""

from dataclasses import dataclass

from app.tiling import Size


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes of all measurements. Sizes of pictures are `(height, width)` in pixels."""

    picture: Size
    large: Size
    tile: int
    bank: int  # rows of PatchCore's bank
    padim_features: int
    search_rows: tuple[int, ...]  # the numbers of rows of the searched banks
    search_channels: tuple[int, ...]
    queries: int
    clients: tuple[int, ...]  # the numbers of clients that post at once
    seconds: float  # of one measurement
    rounds: int
    requests: int  # of the measurement of memory
    served: tuple[str, ...]  # detectors whose requests are measured over HTTP
    compiled: tuple[str, ...]  # detectors whose network is also run by torch.compile
    patience: float  # the factor of the steps' time limits


FULL = Scale(
    picture=(1024, 1024),
    large=(8192, 8192),
    tile=256,
    bank=10_000,
    padim_features=50,
    search_rows=(10_000, 50_000, 200_000, 1_000_000),
    search_channels=(384, 1536),
    queries=16_384,
    clients=(1, 16, 64),
    seconds=2.5,
    rounds=3,
    requests=500,
    served=("patchcore", "stfpm"),
    compiled=("patchcore", "stfpm", "reverse_distillation"),
    patience=1,
)
REHEARSAL = Scale(
    picture=(512, 512),
    large=(1024, 1024),
    tile=128,
    bank=2_000,
    padim_features=10,
    search_rows=(2_000, 10_000),
    search_channels=(384,),
    queries=1_024,
    clients=(1, 16, 64),
    seconds=1.5,
    rounds=2,
    requests=60,
    served=("patchcore", "stfpm"),
    compiled=("patchcore",),
    patience=6,
)
SHORT = Scale(
    picture=(128, 128),
    large=(256, 256),
    tile=64,
    bank=1_100,
    padim_features=5,
    search_rows=(1_100,),
    search_channels=(96,),
    queries=128,
    clients=(1, 4),
    seconds=0.3,
    rounds=1,
    requests=8,
    served=("patchcore",),
    compiled=(),
    patience=4,
)
SCALES = {"full": FULL, "rehearsal": REHEARSAL, "short": SHORT}

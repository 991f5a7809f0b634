"""The sizes, numbers of clients and models of the throughput benchmark."""

from dataclasses import dataclass

SIZE = (1024, 1024)
TILE = 256
CLIENTS = (1, 16)


@dataclass(frozen=True, slots=True)
class Row:
    """A model that is measured."""

    detector: str
    float32_aim: float  # the targeted throughput in float32, as a multiple of anomalib's
    auto_aim: float  # the same with automatic precision
    bank: int = 0  # rows of the memory bank
    pictures: int = 16  # training pictures
    epochs: int = 1


ROWS = {
    "stfpm": Row("stfpm", 2.5, 4, epochs=4),
    "reverse_distillation": Row("reverse_distillation", 2.5, 4, epochs=4),
    "padim": Row("padim", 4, 6),
    "patchcore-10000": Row("patchcore", 3.5, 6, bank=10_000),
    "patchcore-50000": Row("patchcore", 6, 10, bank=50_000, pictures=24),
}

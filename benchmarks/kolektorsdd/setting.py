"""What both programs are given."""

from dataclasses import dataclass
from pathlib import Path

from app.data import LabelledPicture, MVTec
from app.detectors import BackboneDetector, Padim, Patchcore, ReverseDistillation, Stfpm
from app.tiling import Size


@dataclass(frozen=True, slots=True)
class Setting:
    """Picture size, tiles side by side, how many of the training pictures, the epochs of gradient descent, and runs.

    Runs differ in their seed. Of gradient descent a single one says little: rounding alone makes networks of the same
    loss whose AUROC differ by some hundredths.
    """

    size: Size
    tile: int
    pictures: int
    epochs: int = 1
    batch_pictures: int = 3
    runs: int = 1


SETTINGS = {
    "padim": Setting((1280, 512), 256, 60),
    "patchcore": Setting((1280, 512), 256, 40),
    "stfpm": Setting((320, 128), 64, 60, epochs=60, runs=4),
    "reverse_distillation": Setting((640, 256), 128, 60, epochs=20),
}
CORESET_RATIO = 0.01


def build(name: str, backbone: str = "resnet18") -> BackboneDetector:
    """The detector, with random weights."""
    detectors: dict[str, BackboneDetector] = {
        "padim": Padim(backbone),
        "patchcore": Patchcore(backbone, coreset_sampling_ratio=CORESET_RATIO, num_neighbors=9),
        "stfpm": Stfpm(backbone),
        "reverse_distillation": ReverseDistillation(backbone),
    }
    return detectors[name]


def training_pictures(root: Path, name: str) -> list[Path]:
    """The first pictures of the training set, as many as the setting says."""
    return MVTec(str(root), "surface").train_pictures()[: SETTINGS[name].pictures]


def testing_pictures(root: Path) -> list[LabelledPicture]:
    """All pictures of the test set."""
    return MVTec(str(root), "surface").test_pictures()

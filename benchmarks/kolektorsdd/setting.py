"""The settings that both programs get."""

from dataclasses import dataclass
from pathlib import Path

from app.data import LabelledPicture, MVTec
from app.detectors import BackboneDetector, Padim, Patchcore, ReverseDistillation, Stfpm
from app.tiling import Size


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of a detector.

    size: the `(height, width)` to which pictures are resized
    tile: the edge of the tiles in pixels; tiles do not overlap
    pictures: the number of training pictures
    epochs: of gradient descent
    batch_pictures: the number of pictures of a step of gradient descent
    runs: the number of runs, which differ in their seed. A single run of gradient descent says little: rounding alone
        gives networks of the same loss whose AUROCs differ by some hundredths.
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
    """The detector with random weights."""
    detectors: dict[str, BackboneDetector] = {
        "padim": Padim(backbone),
        "patchcore": Patchcore(backbone, coreset_sampling_ratio=CORESET_RATIO, num_neighbors=9),
        "stfpm": Stfpm(backbone),
        "reverse_distillation": ReverseDistillation(backbone),
    }
    return detectors[name]


def training_pictures(root: Path, name: str) -> list[Path]:
    """The first pictures of the training set; the setting has their number."""
    return MVTec(str(root), "surface").train_pictures()[: SETTINGS[name].pictures]


def testing_pictures(root: Path) -> list[LabelledPicture]:
    """All pictures of the test set."""
    return MVTec(str(root), "surface").test_pictures()

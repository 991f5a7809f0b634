"""Values that a user gives to an import, and the questions about what a file does not record.

An import without an answer would give a model that a running server serves seconds later, with scores or labels that
differ from anomalib's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.errors import UnsupportedImport
from app.importing.calibration import Thresholds, threshold_questions
from app.importing.reference import ReferenceModel
from app.tiling import Size, Tiling

NormalisationChoice = Literal["imagenet", "none"]

TILING = (
    "--tiling: checkpoints do not record the tiles of their training. Give --tiling.enable false for a model that was "
    "trained without, as by default, or the --tiling.tile_size and --tiling.stride of its TilerConfigurationCallback"
)
SIZE = (
    "--image_size: checkpoints of anomalib before 2.7 do not record it. Give --image_size 256 for a model with the "
    "default pre-processor; that of Patchcore in anomalib 2.0 also cropped pictures, and cannot be imported"
)
TRANSFORM = (
    "--normalisation: the checkpoint records a pre-processor without a transform, because there was none or because "
    "anomalib could not store it. Give --normalisation none for pictures as they are, as anomalib's Engine.predict "
    "takes them with this file, or --normalisation imagenet and the --image_size of the training"
)


@dataclass(frozen=True, slots=True)
class Choices:
    """Values that replace those of the file, or that the file lacks; None: the value of the file is used.

    tiling: the tiling
    image_size: the (height, width) in pixels to which pictures are resized
    antialias: whether resizing is antialiased
    thresholds: the raw thresholds
    normalisation: by ImageNet's mean and standard deviation, or none
    """

    tiling: Tiling | None = None
    image_size: Size | None = None
    antialias: bool | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    normalisation: NormalisationChoice | None = None


def require_choices(source: ReferenceModel, numbers: Mapping[str, float], choices: Choices) -> None:
    """Raises UnsupportedImport, with all questions at once, if the file does not record what `choices` lack.

    `numbers` are those of the post-processor, see `calibration`. PaDiM's size is not asked for: the number of its
    Gaussians shows whether it is right.
    """
    questions: list[str] = []
    if choices.tiling is None and not source.tiler_is_recorded:
        questions.append(TILING)
    if choices.image_size is None and source.unrecorded == "size" and source.detector != "padim":
        questions.append(SIZE)
    if choices.normalisation is None and source.unrecorded == "transform":
        questions.append(TRANSFORM)
    questions.extend(threshold_questions(numbers, source.post_processing, choices.thresholds))
    if questions:
        listed = "".join(f"\n  {question}" for question in questions)
        raise UnsupportedImport(
            f"the file does not record all that its predictions depend on; nothing is written:{listed}"
        )

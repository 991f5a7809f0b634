"""A model of anomalib's as its file describes it, the same for checkpoints and exported models."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.errors import UnsupportedImport
from app.importing.tensors import StoredTensor

CLASSES = {
    "Padim": "padim",
    "Patchcore": "patchcore",
    "Stfpm": "stfpm",
    "ReverseDistillation": "reverse_distillation",
}
"""anomalib's classes that can be imported, and what the detectors are called here."""

SUPPORTED = f"{', '.join(CLASSES)} can be imported"
OLD_KEYS = ("image_threshold.", "pixel_threshold.", "normalization_metrics.")
THRESHOLDS = "post_processor._image_threshold"


@dataclass(frozen=True, slots=True)
class Transform:
    """A step of the preprocessing: the name of its class, and its settings."""

    name: str
    settings: Mapping[object, object]


@dataclass(frozen=True, slots=True)
class PostProcessing:
    """Settings of anomalib's post-processor."""

    image_sensitivity: float = 0.5
    pixel_sensitivity: float = 0.5
    threshold_matching: bool = True


@dataclass(frozen=True, slots=True)
class RecordedTiler:
    """The tiler of an exported model, by its attributes."""

    tile_size: tuple[object, object]
    stride: tuple[object, object]
    remove_border_count: object
    mode: str | None


@dataclass(frozen=True, slots=True)
class ReferenceModel:
    """What a file tells of a model. `assumed` says in words what it does not tell."""

    origin: str  # "anomalib 2.x checkpoint", "anomalib 2.x exported model"
    detector: str
    hyperparameters: Mapping[object, object]
    tensors: Mapping[str, StoredTensor]  # by their names in anomalib's state_dict
    transforms: tuple[Transform, ...]
    post_processing: PostProcessing
    tiler: RecordedTiler | None
    tiler_is_recorded: bool
    assumed: tuple[str, ...]


def refuse_other_versions(names: Mapping[str, object], has_post_processor: bool) -> None:
    """Raises UnsupportedImport for models of anomalib 0.x and 1.x, by the names of their tensors."""
    if any(name.startswith(OLD_KEYS) for name in names):
        raise UnsupportedImport("the file was written by anomalib 0.x or 1.x; train the model with 2.x to import it")
    if has_post_processor and THRESHOLDS not in names:
        raise UnsupportedImport(
            f"the file has no {THRESHOLDS}, which every model of anomalib 2.x has; it may come from another program, "
            "or from an older anomalib"
        )

"""The description of a model of anomalib, which checkpoints and exported models have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from app.errors import UnsupportedImport
from app.importing.tensors import StoredTensor

CLASSES = {
    "Padim": "padim",
    "Patchcore": "patchcore",
    "Stfpm": "stfpm",
    "ReverseDistillation": "reverse_distillation",
}
"""The classes of anomalib that can be imported, and the names of the detectors here."""

Unrecorded = Literal["size", "transform"]
"""What of the preprocessing a file may not record.

size: whether pictures were resized to the default size
transform: whether there was no transform, or one that anomalib could not store
"""

SUPPORTED = f"{', '.join(CLASSES)} can be imported"
OLD_KEYS = ("image_threshold.", "pixel_threshold.", "normalization_metrics.")
THRESHOLDS = "post_processor._image_threshold"
NUMBERS = ("_image_threshold", "_pixel_threshold", "image_min", "image_max", "pixel_min", "pixel_max")
"""The tensors of a post-processor: each is one number, NaN if it is unset."""

UNUSED = ("evaluator.", "visualizer.", "loss.", "post_processor._image_", "post_processor._pixel_")
"""Beginnings of the names of tensors that do not change predictions: metrics, also those of thresholds, and losses."""


@dataclass(frozen=True, slots=True)
class Transform:
    """A step of the preprocessing: the short name of its class, and its settings."""

    name: str
    settings: Mapping[object, object]


@dataclass(frozen=True, slots=True)
class PostProcessing:
    """The settings of anomalib's post-processor, with its defaults.

    image_sensitivity: shifts the threshold of picture scores, in (0, 1]; 0.5: no shift
    pixel_sensitivity: shifts the threshold of map values, in (0, 1]; 0.5: no shift
    threshold_matching: whether the threshold of the other level replaces one that is unset
    normalisation: whether scores and maps are normalised before they are compared with thresholds
    thresholding: whether the model answers labels and masks
    """

    image_sensitivity: float = 0.5
    pixel_sensitivity: float = 0.5
    threshold_matching: bool = True
    normalisation: bool = True
    thresholding: bool = True


@dataclass(frozen=True, slots=True)
class RecordedTiler:
    """The attributes of the tiler of an exported model, not validated.

    tile_size: (height, width) in pixels
    stride: (height, width) in pixels
    remove_border_count: the width of the border that is removed from each tile, in cells
    mode: the name of the mode, such as `padding`; None: the file has no readable mode
    """

    tile_size: tuple[object, object]
    stride: tuple[object, object]
    remove_border_count: object
    mode: str | None


@dataclass(frozen=True, slots=True)
class ReferenceModel:
    """The description of a model in a file.

    origin: the kind of the file: "anomalib 2.x checkpoint" or "anomalib 2.x exported model"
    detector: the name of the detector, a value of CLASSES
    hyperparameters: the arguments of the detector's constructor, by name
    tensors: the tensors, by their names in anomalib's state_dict
    transforms: the steps of the preprocessing, in order
    post_processing: the settings of the post-processor
    tiler: the tiler; None: the model has no tiler, or the file does not record it
    tiler_is_recorded: whether files of this kind record their tiler
    assumed: the assumptions about what the file does not record, in words
    unrecorded: what of the preprocessing the file does not record; None: it records all
    averages: the number of steps whose weights were averaged; None: the weights are no averages
    """

    origin: str
    detector: str
    hyperparameters: Mapping[object, object]
    tensors: Mapping[str, StoredTensor]
    transforms: tuple[Transform, ...]
    post_processing: PostProcessing
    tiler: RecordedTiler | None
    tiler_is_recorded: bool
    assumed: tuple[str, ...]
    unrecorded: Unrecorded | None = None
    averages: StoredTensor | None = None


def refuse_other_versions(names: Mapping[str, object], has_post_processor: bool) -> None:
    """Raises UnsupportedImport for models of anomalib 0.x and 1.x, which the names of their tensors identify."""
    if any(name.startswith(OLD_KEYS) for name in names):
        raise UnsupportedImport("the file was written by anomalib 0.x or 1.x; train the model with 2.x to import it")
    if has_post_processor and THRESHOLDS not in names:
        raise UnsupportedImport(
            f"the file has no {THRESHOLDS}, which every model of anomalib 2.x has; it may come from another program, "
            "or from an older anomalib"
        )


def refuse_unknown_parts(names: Iterable[str]) -> None:
    """Raises UnsupportedImport for tensors outside the network (`model.`) that may change predictions."""
    known = {"_is_fitted", *(f"post_processor.{name}" for name in NUMBERS)}
    unknown = sorted(
        name
        for name in names
        if name not in known and not name.startswith(("model.", *UNUSED)) and "metric" not in name.partition(".")[0]
    )
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise UnsupportedImport(
            f"the file holds {', '.join(unknown[:3])}{more}, which no model of anomalib's own has; predictions may "
            "depend on it. Replace the pre- or post-processor, or the subclass, that it belongs to by anomalib's own"
        )

"""Reads the checkpoints that anomalib's Engine writes with Lightning."""

from collections.abc import Mapping

from app.errors import UnsupportedImport
from app.importing.components import (
    DEFAULT_TRANSFORMS,
    plain_post_processing,
    plain_transforms,
    recorded_post_processing,
    recorded_transforms,
)
from app.importing.records import PickledObject, as_dict
from app.importing.reference import (
    SUPPORTED,
    PostProcessing,
    ReferenceModel,
    Transform,
    refuse_other_versions,
)
from app.importing.tensors import StoredTensor

ENABLED = "anomalib_components_enabled"
PRE_PROCESSOR = "anomalib_pre_processor_config"
POST_PROCESSOR = "anomalib_post_processor_config"
SIGNATURES = {
    "model.gaussian.inv_covariance": "padim",
    "model.memory_bank": "patchcore",
    "model.student_model.feature_extractor.conv1.weight": "stfpm",
    "model.bottleneck.bn_layer.0.conv1.weight": "reverse_distillation",
}
"""Tensors that identify the detector, by name: checkpoints do not name their class."""


def read_checkpoint(content: Mapping[object, object]) -> ReferenceModel:
    """The model that a checkpoint describes; raises UnsupportedImport."""
    state = as_dict(content.get("state_dict"))
    tensors = {key: value for key, value in state.items() if isinstance(key, str) and isinstance(value, StoredTensor)}
    hyperparameters = as_dict(content.get("hyper_parameters"))
    enabled = as_dict(content.get(ENABLED))
    without = enabled.get("post_processor") is False or hyperparameters.get("post_processor") is False
    refuse_other_versions(tensors, has_post_processor=not without)
    transforms, assumed = _transforms(content, enabled, hyperparameters.get("pre_processor"))
    return ReferenceModel(
        origin="anomalib 2.x checkpoint",
        detector=_detector(tensors),
        hyperparameters=hyperparameters,
        tensors=tensors,
        transforms=transforms,
        post_processing=_post_processing(content, hyperparameters.get("post_processor")),
        tiler=None,
        tiler_is_recorded=False,
        assumed=assumed,
    )


def _detector(tensors: Mapping[str, StoredTensor]) -> str:
    for name, detector in SIGNATURES.items():
        if name in tensors:
            return detector
    parts = sorted({".".join(name.split(".")[:2]) for name in tensors if name.startswith("model.")})
    raise UnsupportedImport(
        f"the checkpoint's detector is not known: its tensors are {', '.join(parts[:5]) or 'none'}; {SUPPORTED}"
    )


def _transforms(
    content: Mapping[object, object], enabled: Mapping[object, object], pickled: object
) -> tuple[tuple[Transform, ...], tuple[str, ...]]:
    """The steps of the preprocessing, and the assumptions about them, in words."""
    if enabled.get("pre_processor") is False or pickled is False:
        return (), ()
    if isinstance(pickled, PickledObject):
        return recorded_transforms(pickled), ()
    if PRE_PROCESSOR in content:  # anomalib 2.7
        steps = plain_transforms(content[PRE_PROCESSOR])
        return steps, () if steps else (
            "preprocessing: the checkpoint has a pre-processor without a transform, either because there was none or "
            "because anomalib could not store it; pictures are taken as they are, not normalised",
        )
    if ENABLED in content:
        raise UnsupportedImport("the model has a pre-processor of its own, which its checkpoint does not describe")
    return DEFAULT_TRANSFORMS, (
        "preprocessing: checkpoints of anomalib before 2.7 do not store the default one, which is taken to be 256 x "
        "256 pixels with ImageNet's mean and standard deviation; anomalib 2.0 also cropped pictures for PatchCore",
    )


def _post_processing(content: Mapping[object, object], pickled: object) -> PostProcessing:
    if isinstance(pickled, PickledObject):
        return recorded_post_processing(pickled)
    return plain_post_processing(content.get(POST_PROCESSOR))

"""Reads the checkpoints that anomalib's Engine writes with Lightning."""

from collections.abc import Mapping

from app.errors import UnsupportedImport
from app.importing.components import (
    DEFAULT_TRANSFORMS,
    POST_PROCESSORS,
    plain_post_processing,
    plain_transforms,
    recorded_post_processing,
    recorded_transforms,
    refuse_post_processor,
)
from app.importing.records import PickledObject, as_dict, shown
from app.importing.reference import (
    SUPPORTED,
    PostProcessing,
    ReferenceModel,
    Transform,
    Unrecorded,
    refuse_other_versions,
    refuse_unknown_parts,
)
from app.importing.tensors import StoredTensor
from app.importing.wrappers import without_wrappers

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

AVERAGED = (
    "weights: the file holds averages of the weights of several steps, and those of the last step; the averages are "
    "used, as anomalib's Engine.predict does"
)


def read_checkpoint(content: Mapping[object, object]) -> ReferenceModel:
    """The model that a checkpoint describes, as anomalib's Engine.predict uses it; raises UnsupportedImport."""
    tensors = {**_tensors(as_dict(content.get("state_dict"))), **_restored(content.get("callbacks"))}
    hyperparameters = as_dict(content.get("hyper_parameters"))
    enabled = as_dict(content.get(ENABLED))
    without = enabled.get("post_processor") is False or hyperparameters.get("post_processor") is False
    if ENABLED in content and POST_PROCESSOR not in content and not without:
        refuse_post_processor("which its checkpoint does not describe")
    refuse_other_versions(tensors, has_post_processor=not without)
    detector = _detector(tensors)
    refuse_unknown_parts(tensors)
    transforms, unrecorded = _transforms(content, enabled, hyperparameters.get("pre_processor"))
    averages = as_dict(content.get("averaging_state")).get("n_averaged")
    return ReferenceModel(
        origin="anomalib 2.x checkpoint",
        detector=detector,
        hyperparameters=hyperparameters,
        tensors=tensors,
        transforms=transforms,
        post_processing=_post_processing(content, without, hyperparameters.get("post_processor")),
        tiler=None,
        tiler_is_recorded=False,
        assumed=() if averages is None else (AVERAGED,),
        unrecorded=unrecorded,
        averages=averages if isinstance(averages, StoredTensor) else None,
    )


def _tensors(state: Mapping[object, object]) -> dict[str, StoredTensor]:
    """The tensors of a state_dict, by their names without wrappers."""
    named = without_wrappers({name: value for name, value in state.items() if isinstance(name, str)})
    for name, value in named.items():
        if name.startswith("model.") and not isinstance(value, StoredTensor):
            raise UnsupportedImport(f"the file's {name} is no plain tensor but {shown(value)}, which is not supported")
    return {name: value for name, value in named.items() if isinstance(value, StoredTensor)}


def _restored(callbacks: object) -> dict[str, StoredTensor]:
    """The post-processor's tensors in the states of Lightning's callbacks; raises UnsupportedImport.

    The post-processor is a callback, too. Engine.predict restores it from there after the state_dict. The two differ if
    a callback has replaced the weights in the state_dict by averages: those of thresholds are then NaN, or outdated.
    """
    found: dict[str, StoredTensor] = {}
    for key, state in as_dict(callbacks).items():
        numbers = as_dict(state)
        if isinstance(key, str) and not {"_image_threshold", "_pixel_threshold"}.isdisjoint(numbers):
            if key not in POST_PROCESSORS:
                refuse_post_processor(key.partition("{")[0])
            found |= {f"post_processor.{name}": value for name, value in _tensors(numbers).items()}
    return found


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
) -> tuple[tuple[Transform, ...], Unrecorded | None]:
    """The steps of the preprocessing, and what of it the checkpoint does not record."""
    if enabled.get("pre_processor") is False or pickled is False:
        return (), None
    if isinstance(pickled, PickledObject):
        return recorded_transforms(pickled), None
    if PRE_PROCESSOR in content:  # anomalib 2.7
        steps = plain_transforms(content[PRE_PROCESSOR])
        return steps, None if steps else "transform"
    if ENABLED in content:
        raise UnsupportedImport("the model has a pre-processor of its own, which its checkpoint does not describe")
    return DEFAULT_TRANSFORMS, "size"


def _post_processing(content: Mapping[object, object], without: bool, pickled: object) -> PostProcessing:
    if without:
        return PostProcessing(thresholding=False)
    if isinstance(pickled, PickledObject):
        return recorded_post_processing(pickled)
    return plain_post_processing(content.get(POST_PROCESSOR))

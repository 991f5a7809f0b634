"""Reads models that anomalib exported with type `torch`: pickled modules, which are read as records."""

from collections.abc import Mapping

from app.errors import UnsupportedImport
from app.importing.components import recorded_post_processing, recorded_transforms
from app.importing.records import PickledObject, as_dict, attribute, enum_value
from app.importing.reference import (
    CLASSES,
    SUPPORTED,
    PostProcessing,
    RecordedTiler,
    ReferenceModel,
    refuse_other_versions,
)
from app.importing.tensors import StoredTensor

MAX_DEPTH = 32
MAX_MODULES = 20_000


def read_exported(content: Mapping[object, object]) -> ReferenceModel:
    """The model that an exported file describes; raises UnsupportedImport."""
    module = content.get("model")
    if not isinstance(module, PickledObject):
        raise UnsupportedImport("the file holds no model: weights alone are not enough to import")
    detector = CLASSES.get(module.name.short) if module.name.path.startswith("anomalib.models.") else None
    if detector is None:
        raise UnsupportedImport(f"the file's model is {module.name.path}, which is not supported; {SUPPORTED}")
    tensors = state_dict(module)
    post, network = attribute(module, "post_processor"), attribute(module, "model")
    refuse_other_versions(tensors, has_post_processor="metadata" in content or isinstance(post, PickledObject))
    if not isinstance(network, PickledObject):
        raise UnsupportedImport("the file's model has no network; it may have been written by anomalib 0.x or 1.x")
    pre = attribute(module, "pre_processor")
    return ReferenceModel(
        origin="anomalib 2.x exported model",
        detector=detector,
        hyperparameters=as_dict(attribute(module, "_hparams")),
        tensors=tensors,
        transforms=recorded_transforms(pre) if isinstance(pre, PickledObject) else (),
        post_processing=recorded_post_processing(post) if isinstance(post, PickledObject) else PostProcessing(),
        tiler=_tiler(attribute(network, "tiler")),
        tiler_is_recorded=True,
        assumed=(),
    )


def state_dict(module: PickledObject) -> dict[str, StoredTensor]:
    """The tensors of a recorded torch module and its submodules, by their names in torch's `state_dict`.

    Raises UnsupportedImport for more than MAX_MODULES modules or for more than MAX_DEPTH levels.
    """
    found: dict[str, StoredTensor] = {}
    waiting: list[tuple[str, PickledObject, int]] = [("", module, 0)]
    for count in range(MAX_MODULES + 1):
        if not waiting:
            return found
        prefix, record, depth = waiting.pop()
        if count == MAX_MODULES or depth > MAX_DEPTH:
            raise UnsupportedImport(
                f"the model has more than {MAX_MODULES} modules, or is nested deeper than {MAX_DEPTH}"
            )
        state = as_dict(record.state)
        for kind in ("_parameters", "_buffers"):
            for name, value in as_dict(state.get(kind)).items():
                if isinstance(value, StoredTensor):
                    found[f"{prefix}{name}"] = value
        for name, value in as_dict(state.get("_modules")).items():
            if isinstance(value, PickledObject):
                waiting.append((f"{prefix}{name}.", value, depth + 1))
    return found


def _tiler(recorded: object) -> RecordedTiler | None:
    if recorded is None:
        return None
    if not isinstance(recorded, PickledObject) or recorded.name.short != "Tiler":
        raise UnsupportedImport("the model has a tiler of its own; give --tiling to import the model with it")
    state = as_dict(recorded.state)
    return RecordedTiler(
        (state.get("tile_size_h"), state.get("tile_size_w")),
        (state.get("stride_h"), state.get("stride_w")),
        state.get("remove_border_count"),
        enum_value(state.get("mode")),
    )

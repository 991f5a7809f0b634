"""Reads models that anomalib exported with type `torch`: pickled modules, which are read as records."""

from collections.abc import Mapping

from app.errors import UnsupportedImport
from app.importing.components import recorded_post_processing, recorded_transforms
from app.importing.records import PickledObject, as_dict, attribute, enum_value, shown
from app.importing.reference import (
    CLASSES,
    SUPPORTED,
    PostProcessing,
    RecordedTiler,
    ReferenceModel,
    refuse_other_versions,
    refuse_unknown_parts,
)
from app.importing.tensors import StoredTensor
from app.importing.wrappers import unwrapped, without_wrappers
from app.scoring import BLUR_SIGMA

MAX_DEPTH = 32
MAX_MODULES = 20_000
PACKAGES = ("anomalib.models.", "torch.", "timm.", "torchvision.")
"""The packages of the modules of anomalib's networks, wrappers included."""

HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def read_exported(content: Mapping[object, object]) -> ReferenceModel:
    """The model that an exported file describes; raises UnsupportedImport."""
    module = content.get("model")
    if not isinstance(module, PickledObject):
        raise UnsupportedImport("the file holds no model: weights alone are not enough to import")
    module = unwrapped(module)
    detector = CLASSES.get(module.name.short) if module.name.path.startswith("anomalib.models.") else None
    if detector is None:
        raise UnsupportedImport(f"the file's model is {module.name.path}, which is not supported; {SUPPORTED}")
    tensors = state_dict(module)
    post, network = attribute(module, "post_processor"), attribute(module, "model")
    refuse_other_versions(tensors, has_post_processor="metadata" in content or isinstance(post, PickledObject))
    if not isinstance(network, PickledObject):
        raise UnsupportedImport("the file's model has no network; it may have been written by anomalib 0.x or 1.x")
    pre, network = attribute(module, "pre_processor"), unwrapped(network)
    transforms = recorded_transforms(pre) if isinstance(pre, PickledObject) else ()
    without = PostProcessing(thresholding=False)
    post_processing = recorded_post_processing(post) if isinstance(post, PickledObject) else without
    refuse_unknown_parts(tensors)
    return ReferenceModel(
        origin="anomalib 2.x exported model",
        detector=detector,
        hyperparameters={**as_dict(attribute(module, "_hparams")), **_own(network)},
        tensors=tensors,
        transforms=transforms,
        post_processing=post_processing,
        tiler=_tiler(attribute(network, "tiler")),
        tiler_is_recorded=True,
        assumed=(),
    )


def _own(network: PickledObject) -> dict[object, object]:
    """The attributes of the network that predictions depend on, which may have been set after its construction."""
    generator = attribute(network, "anomaly_map_generator")
    if isinstance(generator, PickledObject):
        sigma = attribute(generator, "sigma")
        if sigma not in (None, BLUR_SIGMA):
            raise UnsupportedImport(f"the model blurs maps with a sigma of {shown(sigma)}; {BLUR_SIGMA} is supported")
    neighbours = attribute(network, "num_neighbors")
    return {} if neighbours is None else {"num_neighbors": neighbours}


def state_dict(module: PickledObject) -> dict[str, StoredTensor]:
    """The tensors of a recorded torch module and its submodules, by their names in torch's `state_dict`.

    The names lack wrappers, see `without_wrappers`. Raises UnsupportedImport for more than MAX_MODULES modules or for
    more than MAX_DEPTH levels, and for modules of the network with classes or hooks that anomalib's networks lack.
    """
    found: dict[str, StoredTensor] = {}
    waiting: list[tuple[str, PickledObject, int]] = [("", module, 0)]
    for count in range(MAX_MODULES + 1):
        if not waiting:
            return without_wrappers(found)
        prefix, record, depth = waiting.pop()
        if count == MAX_MODULES or depth > MAX_DEPTH:
            raise UnsupportedImport(
                f"the model has more than {MAX_MODULES} modules, or is nested deeper than {MAX_DEPTH}"
            )
        state = as_dict(record.state)
        if prefix.startswith("model."):
            _refuse_changed(prefix.removesuffix("."), record)
        for kind in ("_parameters", "_buffers"):
            for name, value in as_dict(state.get(kind)).items():
                if isinstance(value, StoredTensor):
                    found[f"{prefix}{name}"] = value
        for name, value in as_dict(state.get("_modules")).items():
            if isinstance(value, PickledObject):
                waiting.append((f"{prefix}{name}.", value, depth + 1))
    return found


def _refuse_changed(name: str, module: PickledObject) -> None:
    """Raises UnsupportedImport for a module of a class, or with a hook, that may change what it computes."""
    if not module.name.path.startswith(PACKAGES):
        raise UnsupportedImport(
            f"the file's {name} is a {module.name.path}, which no network of anomalib's own has; predictions may "
            "depend on it"
        )
    if any(as_dict(attribute(module, hooks)) for hooks in HOOKS):
        raise UnsupportedImport(f"the file's {name} has forward hooks, which may change predictions; remove them")


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

"""Makes detectors of anomalib's tensors. Every tensor of a file's network must be used, or be known to be unused."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from app.backbones import ARCHITECTURES, LAYER_STRIDES
from app.detectors import DETECTORS, Detector, Padim, Patchcore
from app.detectors.whitening import packed_in_place
from app.errors import InvalidParameter, InvalidWeights, UnsupportedImport
from app.importing.gaussians import positions, selected, whiteners
from app.importing.records import as_list, enum_value, shown
from app.importing.reference import ReferenceModel
from app.importing.tensors import StoredTensor
from app.pipeline import Preprocessing
from app.scoring import BLUR_SIGMA, gaussian
from app.tiling import Tiling, plan

Read = Callable[[StoredTensor], Tensor]
EXTRACTOR = "feature_extractor.feature_extractor."
NETWORKS = {
    "padim": {"backbone.": f"model.{EXTRACTOR}"},
    "patchcore": {"backbone.": f"model.{EXTRACTOR}"},
    "stfpm": {
        "backbone.": "model.teacher_model.feature_extractor.",
        "student.": "model.student_model.feature_extractor.",
    },
    "reverse_distillation": {
        "backbone.": "model.encoder.feature_extractor.",
        "bottleneck.": "model.bottleneck.",
        "decoder.": "model.decoder.",
    },
}
"""For each detector: prefixes of the networks' tensors in its state_dict, and those in anomalib's state_dict."""

FITTED = {
    "padim": {"model.idx", "model.gaussian.mean", "model.gaussian.inv_covariance"},
    "patchcore": {"model.memory_bank"},
}
UNUSED = ("model.bottleneck.conv4.", "model.bottleneck.bn4.")
BLUR = "model.anomaly_map_generator.blur.kernel"
BLUR_TOLERANCE = 5e-5  # the largest weight is 0.01; bfloat16 changes weights by less
CHECKED_AT_ONCE = 2**22  # numbers of a tensor
UNFITTED = "the model is not fitted; finish its training in anomalib before you import it"


def imported_detector(source: ReferenceModel, preprocessing: Preprocessing, tiling: Tiling, read: Read) -> Detector:
    """A fitted detector with the file's tensors, in float32; raises UnsupportedImport."""
    _require_fitted(source, read)
    _require_blur(source, read)
    detector = _unfitted(source)
    state = dict(_network_state(source, detector, read))
    if isinstance(detector, Padim):
        state |= _gaussians(source, detector, preprocessing, tiling, read)
    elif isinstance(detector, Patchcore):
        state["memory_bank"] = _memory_bank(source, detector, read)
    detector.load_fitted_state(state)
    return detector


def _require_fitted(source: ReferenceModel, read: Read) -> None:
    if source.averages is not None and not read(source.averages).any():
        raise UnsupportedImport(
            "the weights that anomalib predicts with are averages, and the file records that none was taken "
            "(averaging_state.n_averaged is 0); train until the callback has averaged, or without it"
        )
    flag = source.tensors.get("_is_fitted")
    empty = any(0 in source.tensors[name].shape for name in FITTED.get(source.detector, ()) if name in source.tensors)
    if empty or (flag is not None and not read(flag).all()):
        raise UnsupportedImport(UNFITTED)


def _require_blur(source: ReferenceModel, read: Read) -> None:
    """Raises UnsupportedImport if maps are blurred otherwise than by the Gaussian of anomalib's networks."""
    if BLUR not in source.tensors:
        return
    line = torch.tensor(gaussian(BLUR_SIGMA))
    kernel = _taken(source.tensors, BLUR, (1, 1, len(line), len(line)), read)[0, 0].float()
    if (kernel - torch.outer(line, line)).abs().max() > BLUR_TOLERANCE:
        raise UnsupportedImport(
            f"the file's {BLUR} is not a Gaussian with a sigma of {BLUR_SIGMA}; another blur is not supported"
        )


def _unfitted(source: ReferenceModel) -> Detector:
    """An unfitted detector with the hyperparameters of the file; raises UnsupportedImport if these do not work here."""
    given = source.hyperparameters
    backbone, layers = given.get("backbone"), as_list(given.get("layers"))
    architecture = backbone.partition(".")[0] if isinstance(backbone, str) else None  # timm's tag: resnet18.a1_in1k
    if architecture not in ARCHITECTURES:
        raise UnsupportedImport(f"the backbone {shown(backbone)} is not supported; {', '.join(ARCHITECTURES)} are")
    names = [layer for layer in layers if isinstance(layer, str)]
    if not names or len(names) < len(layers) or names != [layer for layer in LAYER_STRIDES if layer in names]:
        raise UnsupportedImport(
            f"the layers {shown(layers)} are not supported; {', '.join(LAYER_STRIDES)} are, in order"
        )
    parameters: dict[str, object] = {"backbone": architecture, "layers": names}
    if source.detector == "padim":
        parameters["n_features"] = source.tensors["model.idx"].shape[0] if "model.idx" in source.tensors else 0
    elif source.detector == "patchcore":
        parameters |= {name: given.get(name) for name in ("coreset_sampling_ratio", "num_neighbors")}
        if not isinstance(given.get("num_neighbors"), int):
            raise UnsupportedImport(f"num_neighbors is {shown(given.get('num_neighbors'))} in the file, and no number")
    elif source.detector == "reverse_distillation":
        parameters["anomaly_map_mode"] = enum_value(given.get("anomaly_map_mode"))
    try:
        return DETECTORS[source.detector](**parameters)
    except (InvalidParameter, InvalidWeights, TypeError) as error:
        raise UnsupportedImport(f"the file's hyperparameters cannot be used: {error}") from error


def _network_state(source: ReferenceModel, detector: Detector, read: Read) -> Iterator[tuple[str, Tensor]]:
    """Yields the name of each tensor of the networks in the detector's state_dict, and the file's tensor for it.

    Raises UnsupportedImport if a tensor is missing or does not fit, or if the file has a tensor that is not known.
    """
    prefixes, taken = NETWORKS[source.detector], set(FITTED.get(source.detector, ()))
    for name, tensor in detector.state_dict().items():
        ours = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        if ours is None:
            continue  # fitted state, no part of the networks
        theirs = prefixes[ours] + name.removeprefix(ours)
        taken.add(theirs)
        yield name, _taken(source.tensors, theirs, tuple(tensor.shape), read).to(tensor.dtype)
    for name in source.tensors:
        if name.startswith("model.") and name not in taken and name != BLUR and not name.startswith(UNUSED):
            raise UnsupportedImport(
                f"the file's {name} belongs to no {detector.name} of this backbone and these layers"
            )


def _taken(tensors: Mapping[str, StoredTensor], name: str, shape: tuple[int, ...], read: Read) -> Tensor:
    """Reads a tensor of the file; raises UnsupportedImport unless it exists, has this shape, and is finite."""
    if name not in tensors:
        raise UnsupportedImport(f"the file lacks {name}, which a model of this backbone and these layers has")
    if tensors[name].shape != shape:
        raise UnsupportedImport(f"the file's {name} has the shape {list(tensors[name].shape)}, and not {list(shape)}")
    tensor = read(tensors[name])
    flat = tensor.view(-1)
    if not all(flat[at : at + CHECKED_AT_ONCE].isfinite().all() for at in range(0, len(flat), CHECKED_AT_ONCE)):
        raise UnsupportedImport(f"the file's {name} holds numbers that are not finite")
    return tensor


def _memory_bank(source: ReferenceModel, detector: Patchcore, read: Read) -> Tensor:
    name = "model.memory_bank"
    patches = source.tensors[name].shape[0] if name in source.tensors else 0
    return _taken(source.tensors, name, (patches, detector.embedding_size), read).float()


def _gaussians(
    source: ReferenceModel, detector: Padim, preprocessing: Preprocessing, tiling: Tiling, read: Read
) -> dict[str, Tensor]:
    """PaDiM's fitted state: the channels, and the Gaussian of each position of the plan's grid."""
    if preprocessing.image_size is None:
        raise UnsupportedImport("PaDiM knows pictures of one size only, and the file records none; give --image_size")
    channels, tensors = detector.n_features, source.tensors
    idx = _taken(tensors, "model.idx", (channels,), read).long()
    if (
        not 0
        <= int(idx.min())
        <= int(idx.max())
        < sum(detector.backbone.channels[layer] for layer in detector.backbone.layers)
    ):
        raise UnsupportedImport("the file's model.idx names channels that the layers do not have; it is damaged")
    inverse = tensors.get("model.gaussian.inv_covariance")
    fitted = inverse.shape[0] if inverse is not None else 0
    rows, columns, across = positions(plan(tiling, *preprocessing.image_size), detector.feature_strides[0], fitted)
    mean = _taken(tensors, "model.gaussian.mean", (channels, fitted), read).float().T.contiguous()
    spread = _taken(tensors, "model.gaussian.inv_covariance", (fitted, channels, channels), read).float()
    idx, order = idx.sort()  # the distance does not depend on the order, see Padim
    inverses = selected(spread, rows, columns, across)
    reordered = lambda part: whiteners(part[:, order][:, :, order])  # noqa: E731
    packed = packed_in_place(inverses.flatten(0, 1), inverses.shape[1], reordered)
    return {
        "idx": idx,
        "mean": selected(mean, rows, columns, across)[..., order],
        "whitening": packed,
    }

"""Files as anomalib 2.x writes them, made from Tessera's detectors: their tensors under anomalib's names."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.detectors import Detector, Padim, Patchcore, ReverseDistillation, Stfpm
from app.importing import Choices
from app.importing.detectors import NETWORKS
from app.scoring import BLUR_SIGMA, gaussian
from app.tiling import Tiling

SIZE = (64, 96)
NUMBERS = {
    "_image_threshold": 3.0,
    "_pixel_threshold": 2.0,
    "image_min": 1.0,
    "image_max": 5.0,
    "pixel_min": 0.0,
    "pixel_max": 4.0,
}
CLASSES = {
    "padim": "Padim",
    "patchcore": "Patchcore",
    "stfpm": "Stfpm",
    "reverse_distillation": "ReverseDistillation",
}
LAYERS = ("layer1", "layer2", "layer3")
UNTILED = Choices(tiling=Tiling(enable=False))
Checkpoint = dict[str, Any]
Write = Callable[[object], Path]


def fitted(name: str) -> Detector:
    """A detector with random weights and a random fitted state for pictures of SIZE."""
    torch.manual_seed(0)
    detector: Detector
    if name == "padim":
        detector = Padim("resnet18", ("layer1", "layer2"), n_features=5)
        rows, columns = SIZE[0] // 4, SIZE[1] // 4
        state = detector.state_dict()
        del state["whitening"]
        whitener, mean = torch.randn(rows, columns, 5, 5).tril_(), torch.rand(rows, columns, 5)
        detector.load_fitted_state({**state, "mean": mean, "whitener": whitener})
    elif name == "patchcore":
        detector = Patchcore("resnet18", ("layer2", "layer3"), num_neighbors=3)
        detector.memory_bank = torch.rand(20, 384)
    else:
        detector = Stfpm("resnet18") if name == "stfpm" else ReverseDistillation("resnet18")
    return detector.eval()


def reference_state(detector: Detector) -> dict[str, Tensor]:
    """The detector's tensors as anomalib names and shapes them."""
    prefixes, state = NETWORKS[detector.name], {}
    for name, tensor in detector.state_dict().items():
        for ours, theirs in prefixes.items():
            if name.startswith(ours):
                state[theirs + name.removeprefix(ours)] = tensor
    if isinstance(detector, Padim):
        whitener = detector.whitening.view(-1, 5, 5).mT  # with 5 channels a packed matrix is one block
        state["model.idx"] = detector.idx
        state["model.gaussian.mean"] = detector.mean.flatten(0, 1).T
        state["model.gaussian.inv_covariance"] = whitener.mT @ whitener
    elif isinstance(detector, Patchcore):
        state["model.memory_bank"] = detector.memory_bank
    elif isinstance(detector, ReverseDistillation):
        state["model.bottleneck.conv4.weight"] = torch.rand(3)
    if detector.name in ("padim", "patchcore"):
        state["_is_fitted"] = torch.tensor([True])
        line = torch.tensor(gaussian(BLUR_SIGMA))
        state["model.anomaly_map_generator.blur.kernel"] = torch.outer(line, line)[None, None]
    return state


def hyperparameters(detector: Detector) -> dict[str, object]:
    """The constructor's arguments under anomalib's names."""
    return {**detector.parameters_of_model, "pre_trained": True}


def transform_spec() -> dict[str, Any]:
    """The plain data in which anomalib 2.7 stores transforms."""
    resize = {"size": list(SIZE), "interpolation": "bilinear", "max_size": None, "antialias": True}
    normalize = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3], "inplace": False}
    steps = [
        {"class_path": "torchvision.transforms.v2.Resize", "init_args": resize},
        {"class_path": "torchvision.transforms.v2.Normalize", "init_args": normalize},
    ]
    return {"class_path": "torchvision.transforms.v2.Compose", "init_args": {"transforms": steps}}


def checkpoint_of(detector: Detector) -> Checkpoint:
    """A checkpoint as anomalib 2.7 stores it with Lightning, without the state of optimizers."""
    state = reference_state(detector)
    state |= {f"post_processor.{name}": torch.tensor(value) for name, value in NUMBERS.items()}
    return {
        "epoch": 0,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": state,
        "callbacks": {"PostProcessor": {}},
        "hyper_parameters": hyperparameters(detector),
        "anomalib_components_enabled": {"pre_processor": True, "post_processor": True},
        "anomalib_pre_processor_config": {"transform": transform_spec()},
        "anomalib_post_processor_config": {"image_sensitivity": 0.5, "pixel_sensitivity": 0.5},
    }


def class_of(path: str, base: type, monkeypatch: pytest.MonkeyPatch) -> type:
    """A class that pickles under another name, in a module that exists until the test ends."""
    module_name, _, name = path.rpartition(".")
    kind = type(name, (base,), {"__module__": module_name})
    parts = module_name.split(".")
    for package in (".".join(parts[: end + 1]) for end in range(len(parts))):
        if package not in sys.modules:
            monkeypatch.setitem(sys.modules, package, ModuleType(package))
    monkeypatch.setattr(sys.modules[module_name], name, kind, raising=False)
    return kind


def as_module(state: dict[str, Tensor], root: nn.Module) -> nn.Module:
    """Adds tensors to `root` at the places that their dotted names give, and returns `root`."""
    for name, tensor in state.items():
        *parents, own = name.split(".")
        module = root
        for parent in parents:
            if parent not in dict(module.named_children()):
                module.add_module(parent, nn.Module())
            module = module.get_submodule(parent)
        if own == "weight":
            module.register_parameter(own, nn.Parameter(tensor, requires_grad=False))
        else:
            module.register_buffer(own, tensor)
    return root


def exported_of(detector: Detector, monkeypatch: pytest.MonkeyPatch, tiler: object = None) -> dict[str, nn.Module]:
    """A model as anomalib exports it with type `torch`; its classes stand for anomalib's."""

    def make(path: str, base: type = nn.Module) -> nn.Module:
        made: nn.Module = class_of(path, base, monkeypatch)()
        return made

    root = make(f"anomalib.models.image.{detector.name}.lightning_model.{CLASSES[detector.name]}")
    as_module(reference_state(detector), root)
    post = make("anomalib.post_processing.post_processor.PostProcessor")
    for name, value in NUMBERS.items():
        post.register_buffer(name, torch.tensor(value))
    post.__dict__ |= {"image_sensitivity": 0.5, "pixel_sensitivity": 0.5, "enable_threshold_matching": True}
    compose = make("torchvision.transforms.v2._container.Compose")
    steps = transform_spec()["init_args"]["transforms"]
    compose.__dict__["transforms"] = [make(_concrete(step["class_path"])) for step in steps]
    for made, step in zip(compose.__dict__["transforms"], steps, strict=True):
        made.__dict__ |= step["init_args"]
    pre = make("anomalib.pre_processing.pre_processor.PreProcessor")
    pre.add_module("transform", compose)
    root.add_module("post_processor", post)
    root.add_module("pre_processor", pre)
    root.__dict__["_hparams"] = class_of("lightning.fabric.utilities.data.AttributeDict", dict, monkeypatch)(
        hyperparameters(detector)
    )
    root.get_submodule("model").__dict__["tiler"] = tiler
    return {"model": root}


def _concrete(path: str) -> str:
    """torchvision's classes pickle under the modules that define them."""
    module = {"Resize": "_geometry", "Normalize": "_misc"}[path.rpartition(".")[2]]
    return path.replace("v2.", f"v2.{module}.")


def tiler_of(monkeypatch: pytest.MonkeyPatch, **changes: object) -> object:
    """A tiler as anomalib pickles it: tiles of 32 x 32 pixels without overlap; `changes` replace attributes."""
    tiler: object = class_of("anomalib.data.utils.tiler.Tiler", object, monkeypatch)()
    values = {"tile_size_h": 32, "tile_size_w": 32, "stride_h": 32, "stride_w": 32, "remove_border_count": 0}
    for name, value in {**values, "mode": "padding", **changes}.items():
        setattr(tiler, name, value)
    return tiler


def saver(directory: Path) -> Write:
    """A function that writes a value with `torch.save` into a new file of the directory, and returns its path."""

    def save(content: object) -> Path:
        path = directory / f"model-{len(list(directory.iterdir()))}.ckpt"
        torch.save(content, path)
        return path

    return save

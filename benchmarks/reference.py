"""Imports anomalib, the reference library, also beside a CPU build of torch."""

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


def import_anomalib() -> None:
    """Imports anomalib and silences its warnings; raises ImportError if anomalib is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torchvision
        except RuntimeError:  # torchvision's wheel lacks its operators beside a CPU build of torch
            torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            import torchvision  # noqa: F401
        import anomalib.engine
        import anomalib.models  # noqa: F401


BACKBONES = ("feature_extractor.feature_extractor.", "teacher_model.feature_extractor.", "encoder.feature_extractor.")
CLASSES = {"padim": "Padim", "patchcore": "Patchcore", "stfpm": "Stfpm", "reverse_distillation": "ReverseDistillation"}


def anomalib_module(name: str, size: tuple[int, int], weights: Path, **options: object) -> Any:
    """anomalib's Lightning module of a detector, with a ResNet-18's weights from a file and not from a hub.

    Its pre-processor resizes pictures to `size`, with antialiasing.
    """
    import timm
    from anomalib import models
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Compose, Normalize, Resize

    create = timm.create_model
    timm.create_model = lambda *args, **given: create(*args, **{**given, "pretrained": False})
    normalise = Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    processor = PreProcessor(Compose([Resize(size, antialias=True), normalise]))
    kind = getattr(models, CLASSES[name])
    module = kind(backbone="resnet18", evaluator=False, visualizer=False, pre_processor=processor, **options)
    timm.create_model = create
    prefix = next(each for each in BACKBONES if any(key.startswith(each) for key in module.model.state_dict()))
    known = {f"{prefix}{key}": tensor for key, tensor in load_file(weights).items()}
    missing = module.model.load_state_dict(known, strict=False).missing_keys
    assert not [key for key in missing if key.startswith(prefix) and not key.endswith("num_batches_tracked")]
    return module

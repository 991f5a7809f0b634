"""Importing anomalib, the reference, beside a CPU build of torch."""

import warnings

import torch


def import_anomalib() -> None:
    """Imports anomalib without its own warnings; raises ImportError where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torchvision
        except RuntimeError:  # its wheel does not fit a CPU build of torch, and lacks its operators there
            torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            import torchvision  # noqa: F401
        import anomalib.engine
        import anomalib.models  # noqa: F401

"""The network whose features a student learns, run as fast as the device allows."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from app.backbones import IMAGENET, build_backbone
from app.detectors import Detector, Features, Patchcore
from app.errors import InvalidTraining
from app.runtime import Eager, Network, build_network, candidates, trace
from app.runtime.options import RunOptions

LAYERS = ("layer1", "layer2", "layer3")
"""The layers of the student."""
STRIDES = (4, 8, 16)
"""Their strides in pixels."""


class Teacher:
    """Computes the features of a backbone at the strides of the student's layers: of the deepest layer of each stride.

    `weights` is a file, or a name that `load_weights` knows. `size` is the edge of the pictures, in pixels, for which
    the network is traced. Raises InvalidWeights, and InvalidTraining for a backbone without these strides.
    """

    def __init__(self, architecture: str, weights: str, device: torch.device, size: int) -> None:
        layers = build_backbone(architecture, None, STRIDES).layers
        detector = Patchcore(architecture, layers, backbone_weights=weights)
        backbone = detector.backbone.to(device).eval().requires_grad_(False)
        if backbone.feature_strides != STRIDES:
            raise InvalidTraining(
                f"the teacher {architecture} has features with strides of {backbone.feature_strides} pixels; use one "
                f"with layers of {STRIDES}, such as a ResNet or an EfficientNet-Lite"
            )
        self.name = Path(detector.load_weights()).name
        self.architecture, self.channels = architecture, [backbone.channels[layer] for layer in layers]
        self._network = _network(detector, device, size)
        mean, std = (torch.tensor(each, device=device)[:, None, None] for each in (IMAGENET.mean, IMAGENET.std))
        own_mean, own_std = (
            torch.tensor(each, device=device)[:, None, None]
            for each in (backbone.normalisation.mean, backbone.normalisation.std)
        )
        self._scale, self._shift = std / own_std, (mean - own_mean) / own_std
        self._converts = backbone.normalisation != IMAGENET

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Features:
        """Pictures [n,3,s,s] -> features [n,C,s/4,s/4], [n,C,s/8,s/8], [n,C,s/16,s/16], float32.

        Pictures are normalised for the student, as ImageNet's are, and converted to the teacher's normalisation.
        """
        if self._converts:
            pictures = pictures * self._scale + self._shift
        return tuple(feature.float() for feature in self._network(pictures))


def _network(detector: Detector, device: torch.device, size: int) -> Network:
    """The detector's network as a program if it can be traced, else its own modules."""
    try:
        program = trace(detector)
    except NotImplementedError:
        return Eager(detector)
    usual, *_ = candidates(program, device, RunOptions(), (size, size))
    return build_network(program, usual, (size, size))


def means(features: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """For each layer, the means of its channels over all pictures and cells: [1,C,1,1]."""
    return tuple(feature.mean((0, 2, 3), keepdim=True) for feature in features)


def variances(features: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """For each layer, the variances of its channels over all pictures and cells: [1,C,1,1], never 0."""
    return tuple(feature.var((0, 2, 3), keepdim=True).clamp_min(1e-6) for feature in features)

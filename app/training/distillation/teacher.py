"""The network whose features a student learns, run as fast as the device allows."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from app.detectors import Features, Patchcore
from app.runtime import build_network, candidates, trace
from app.runtime.options import RunOptions

LAYERS = ("layer1", "layer2", "layer3")


class Teacher:
    """Computes the features of layer1 to layer3 of a ResNet.

    `weights` is a file, or a name that `load_weights` knows. Raises InvalidWeights. `size` is the edge of the pictures,
    in pixels, for which the network is traced.
    """

    def __init__(self, architecture: str, weights: str, device: torch.device, size: int) -> None:
        detector = Patchcore(architecture, LAYERS, backbone_weights=weights)
        self.name = Path(detector.load_weights()).name
        backbone = detector.backbone.to(device).eval().requires_grad_(False)
        self.architecture, self.channels = architecture, [backbone.channels[layer] for layer in LAYERS]
        program, tile_size = trace(detector), (size, size)
        usual, *_ = candidates(program, device, RunOptions(), tile_size)
        self._network = build_network(program, usual, tile_size)

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Features:
        """Normalised pictures [n,3,s,s] -> features [n,C,s/4,s/4], [n,C,s/8,s/8], [n,C,s/16,s/16], float32."""
        return tuple(feature.float() for feature in self._network(pictures))


def means(features: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """For each layer, the means of its channels over all pictures and cells: [1,C,1,1]."""
    return tuple(feature.mean((0, 2, 3), keepdim=True) for feature in features)


def variances(features: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """For each layer, the variances of its channels over all pictures and cells: [1,C,1,1], never 0."""
    return tuple(feature.var((0, 2, 3), keepdim=True).clamp_min(1e-6) for feature in features)

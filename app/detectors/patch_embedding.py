"""Detectors with one embedding of several layers per cell, as in PatchCore (Roth et al. 2022, section 3.1)."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from app.backbones import LAYER_STRIDES
from app.detectors.base import Features
from app.detectors.one_pass import OnePassDetector
from app.detectors.with_backbone import BackboneDetector


class PatchDetector(BackboneDetector, OnePassDetector):
    """A detector with one embedding per cell of the first layer: 3x3 means of all layers, concatenated."""

    embedding_size: int  # channels of the embedding

    def __init__(
        self, backbone: str, layers: Sequence[str], pre_trained: bool = True, backbone_weights: str | None = None
    ) -> None:
        super().__init__(backbone, layers, pre_trained, backbone_weights)
        self.embedding_size = sum(self.backbone.channels[layer] for layer in layers)

    @property
    def feature_strides(self) -> tuple[int, ...]:
        return (LAYER_STRIDES[self.backbone.layers[0]],)

    def network(self, tiles: torch.Tensor) -> Features:
        """The backbone's layers, [n,C,h/stride,w/stride] each."""
        return tuple(self.backbone(tiles).values())

    def assemble(self, outputs: Features) -> Features:
        """([n,C,h/8,w/8],): 3x3 means of each layer, deeper layers enlarged (bilinear), concatenated."""
        pooled = [F.avg_pool2d(feature, 3, 1, 1) for feature in outputs]
        size = pooled[0].shape[-2:]
        enlarged = [
            feature if feature.shape[-2:] == size else F.interpolate(feature, size=size, mode="bilinear")
            for feature in pooled
        ]
        return (torch.cat(enlarged, 1),)

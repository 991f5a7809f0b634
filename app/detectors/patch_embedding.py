"""Detectors with one embedding of several layers per cell, as in PatchCore (Roth et al. 2022, section 3.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from app.detectors.base import Features
from app.detectors.one_pass import OnePassDetector
from app.detectors.second_stage import SecondStage
from app.detectors.with_backbone import BackboneDetector
from app.errors import InvalidParameter
from app.scoring import Largest, MapScore, MeanOfHighest, ScoreRule

LARGEST_BLUR = 64.0
"""The largest standard deviation of the blur in pixels: a pixel then depends on 512 pixels along each edge."""


class PatchDetector(BackboneDetector, OnePassDetector):
    """A detector with one embedding per cell of the first layer: 3x3 means of all layers, concatenated.

    `score` is the rule of the picture's score, and `blur_sigma` the standard deviation in pixels of the map's blur.
    Tokens of a ViT are concatenated without means (`Backbone.neighbourhood`). `second_stage` changes the distances by
    what confirmed defects look like; None: there is none, as after each training.
    """

    embedding_size: int  # channels of the embedding
    second_stage: SecondStage | None

    def __init__(
        self,
        backbone: str,
        layers: Sequence[str] | None,
        pre_trained: bool,
        backbone_weights: str | None,
        score: ScoreRule,
        blur_sigma: float,
    ) -> None:
        super().__init__(backbone, layers, pre_trained, backbone_weights)
        if score not in tuple(ScoreRule):
            raise InvalidParameter(f"score is {score!r}; use one of {', '.join(ScoreRule)}")
        if not 0 <= blur_sigma <= LARGEST_BLUR:
            raise InvalidParameter(f"blur_sigma is {blur_sigma}; use 0 (no blur) to {LARGEST_BLUR:g} pixels")
        self.score, self.blur_sigma = ScoreRule(score), float(blur_sigma)
        self.map_rule = replace(self.map_rule, blur_sigma=self.blur_sigma)
        self.embedding_size = sum(self.backbone.channels[layer] for layer in self.backbone.layers)
        self.register_module("second_stage", None)

    @property
    def description(self) -> str:
        """See Detector."""
        return super().description + ("; with a second stage" if self.second_stage is not None else "")

    def with_second_stage(self, second_stage: SecondStage | None) -> Self:
        """The same detector with this second stage. Everything else is shared."""
        twin = self.twin()
        twin._modules = self._modules | {"second_stage": second_stage}
        return twin

    def factors(self, patches: Tensor) -> Tensor | None:
        """The factors [p] by which the second stage changes the distances of patches [p,C]; None: there is none."""
        return None if self.second_stage is None else self.second_stage(patches)

    def load_fitted_state(self, state: Mapping[str, Tensor]) -> None:
        if any(name.startswith("second_stage.") for name in state):
            self.second_stage = SecondStage(self.embedding_size)
        super().load_fitted_state(state)

    @property
    def feature_strides(self) -> tuple[int, ...]:
        return self.backbone.feature_strides[:1]

    @property
    def feature_channels(self) -> tuple[int, ...]:
        return (self.embedding_size,)

    def network(self, tiles: torch.Tensor) -> Features:
        """The backbone's layers, [n,C,h/stride,w/stride] each."""
        return tuple(self.backbone(tiles).values())

    def assemble(self, outputs: Features) -> Features:
        """([n,C,h/8,w/8],): 3x3 means of each layer, deeper layers enlarged (bilinear), concatenated."""
        edge = self.backbone.neighbourhood
        pooled = [F.avg_pool2d(feature, edge, 1, edge // 2) for feature in outputs] if edge > 1 else outputs
        size = pooled[0].shape[-2:]
        enlarged = [
            feature if feature.shape[-2:] == size else F.interpolate(feature, size=size, mode="bilinear")
            for feature in pooled
        ]
        return (torch.cat(enlarged, 1),)

    def map_score(self, values: int) -> MapScore | None:
        """See Detector; by the rule `score`."""
        if self.score is ScoreRule.patch:
            return None
        return MeanOfHighest(values) if self.score is ScoreRule.top else Largest()

    def score_of(self, map_score: MapScore | None, score_inputs: Sequence[Features]) -> Tensor:
        """See Detector."""
        return self.patch_score(score_inputs) if map_score is None else map_score.value()

    def patch_score(self, score_inputs: Sequence[Features]) -> Tensor:
        """The score by the rule `patch`, a scalar: the largest of the distances [1] with which score inputs begin."""
        return torch.cat([distance for distance, *_ in score_inputs]).amax()


def ranked(distances: Tensor, counted: Tensor | None) -> Tensor:
    """Distances of cells, flattened, times the factors `counted`; -1 for cells that do not count for the score.

    So they rank last, and so does a part of a picture in which no cell counts. See `Detector.measure`.
    """
    if counted is None:
        return distances.flatten()
    factors = counted.flatten()
    if factors.dtype == torch.bool:
        return distances.flatten().masked_fill(~factors, -1)
    return (distances.flatten() * factors).masked_fill_(factors == 0, -1)

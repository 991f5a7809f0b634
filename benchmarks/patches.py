"""Embeddings of patches of real pictures, as PatchCore computes them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from app.backbones import load_weights
from app.data import decoded
from app.detectors import Patchcore
from app.pipeline import BATCH_TILES, Preprocessing, TiledModel
from app.pipeline.parts import FeatureStitcher
from app.tiling import Size, Tiling


def embeddings(pictures: Sequence[Path], weights: Path, size: Size) -> Tensor:
    """The embeddings of all patches of the pictures, [N,384]. Pictures are resized to `size`; tiles have 256 pixels."""
    detector = Patchcore("resnet18")
    load_weights(detector.backbone, weights)
    model = TiledModel(detector, Preprocessing(size), Tiling(tile_size=256, stride=256))
    rows = []
    for picture in decoded(pictures, 2):
        prepared = model.prepare(picture)
        stitcher = FeatureStitcher(prepared.plan)
        for features in model.outputs(prepared, BATCH_TILES["cpu"]):
            rows += [band[0].flatten(1).T.clone() for band, _ in stitcher.add(features)]
    return torch.cat(rows)

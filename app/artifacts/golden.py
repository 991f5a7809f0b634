"""The golden sample: a small picture, and the model's outcome for it when the artifact was written."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from app.errors import InvalidArtifact, NotFinite
from app.pipeline import Outcome, Preprocessing, TiledModel, predict
from app.tensor_files import read_tensors, write_tensors
from app.tiling import Size, Tiling

TOLERANCE = 1e-3
"""Results in float32 differ by less than 1e-5 between processors. A wrong weight, resize or tile order differs by far
more.
"""
REDUCED_PRECISION_TOLERANCE = 2e-2
"""Results in half precision differ by about 1e-2 on real pictures."""

HEADER_BYTES = 4096
BYTES_PER_PIXEL = 3 + 4
"""The picture's three channels, and the map's value."""

SCORE_TOLERANCE = 0.1
"""A share of the golden map's largest value. PatchCore needs it: if two patches are almost equally far, rounding
decides which of them weights the score.
"""


@dataclass(frozen=True, slots=True)
class Golden:
    """A picture [3,h,w] uint8, its map [h,w] float32 and its raw score."""

    picture: Tensor
    anomaly_map: Tensor
    raw_score: float


def golden_size(tiling: Tiling, preprocessing: Preprocessing) -> Size:
    """The (height, width) of a model's golden sample in pixels."""
    if not tiling.enable:
        return preprocessing.image_size or (256, 256)
    (height, width), (down, right) = tiling.tile_size, tiling.stride
    return height + down, width + right


def make_golden(model: TiledModel) -> Golden:
    """A golden sample with 2 x 2 tiles. Its picture is generated, and shows nothing of the training data."""
    height, width = golden_size(model.tiling, model.preprocessing)
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(0, 9, height), torch.linspace(0, 7, width), indexing="ij")
    waves = torch.stack([torch.sin(x + 2 * y), torch.cos(3 * x - y), torch.sin(x * y / 4)]) * 60 + 128
    noise = torch.randn(3, height, width, generator=generator) * 12
    picture = (waves + noise).clamp_(0, 255).to(torch.uint8)
    outcome = predict(model, picture)
    return Golden(picture, outcome.anomaly_map, outcome.raw_score)


def save_golden(golden: Golden, path: Path) -> None:
    """Writes the sample to a safetensors file; raises OSError."""
    score = torch.tensor(golden.raw_score, dtype=torch.float64)
    tensors = {"picture": golden.picture, "anomaly_map": golden.anomaly_map.contiguous(), "raw_score": score}
    write_tensors(tensors, path)


def load_golden(path: Path, size: Size, expected: str | None = None) -> Golden:
    """Reads the sample of `size`, (height, width); `expected` is the SHA-256 of the file, which is verified if given.

    Raises OSError, InvalidArtifact, DigestMismatch or ModelTooLarge.
    """
    pixels = size[0] * size[1]
    tensors = read_tensors(path, expected, most_bytes=HEADER_BYTES + BYTES_PER_PIXEL * pixels)
    described = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}
    wanted = {
        "picture": (torch.uint8, (3, *size)),
        "anomaly_map": (torch.float32, size),
        "raw_score": (torch.float64, ()),
    }
    if described != wanted:
        raise InvalidArtifact(f"{path} does not hold a golden sample of {size[1]} x {size[0]} pixels")
    return Golden(tensors["picture"], tensors["anomaly_map"], float(tensors["raw_score"]))


def golden_difference(model: TiledModel, golden: Golden) -> float:
    """The largest difference of the model's map to the golden map, as a share of the golden map's largest value.

    NaN if the model's map or score is not finite. Infinite if the sizes of the maps differ, or the scores differ by
    more than SCORE_TOLERANCE of that value. The prediction also warms up the model.
    """
    try:
        outcome: Outcome = predict(model, golden.picture)
    except NotFinite:
        return float("nan")
    if outcome.anomaly_map.shape != golden.anomaly_map.shape:
        return float("inf")
    scale = max(float(golden.anomaly_map.abs().max()), 1e-12)
    if not abs(outcome.raw_score - golden.raw_score) <= SCORE_TOLERANCE * scale:  # not "greater": NaN must not pass
        return float("inf")
    return float((outcome.anomaly_map - golden.anomaly_map).abs().max()) / scale

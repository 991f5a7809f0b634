"""Prepares pixels for the network, in the same way for training and serving."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from app.backbones import IMAGENET
from app.detectors import Detector
from app.tiling import Size


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Bilinear resizing to `image_size` (None: no resizing), then (value - mean) / std of values in [0, 1]."""

    image_size: Size | None = None
    antialias: bool = True
    mean: tuple[float, float, float] = IMAGENET.mean
    std: tuple[float, float, float] = IMAGENET.std

    @classmethod
    def for_detector(cls, detector: Detector, image_size: Size | None = None) -> "Preprocessing":
        """The preprocessing for new models: resizing to `image_size`, and the detector's normalisation."""
        return cls(image_size, mean=detector.normalisation.mean, std=detector.normalisation.std)

    def target_size(self, height: int, width: int) -> Size:
        """The size at which a picture of this size is tiled."""
        return (height, width) if self.image_size is None else self.image_size

    def resize(self, image: Tensor) -> Tensor:
        """[C,H,W] of any dtype -> the target size, float32 in the same range; of that size, the same tensor."""
        target = self.target_size(*image.shape[-2:])
        if tuple(image.shape[-2:]) == target:
            return image
        resized = torch.empty(len(image), *target, device=image.device)
        for source, out in zip(image, resized, strict=True):  # by channel: float32 takes four times the memory
            enlarged = F.interpolate(source.float()[None, None], size=target, mode="bilinear", antialias=self.antialias)
            out.copy_(enlarged[0, 0])
        return resized

    def normalise(self, tiles: Tensor, white: float) -> Tensor:
        """Normalises [n,3,h,w] float32, in which white is `white`, in place."""
        mean, std = (_scaled(values, white, tiles.device) for values in (self.mean, self.std))
        return tiles.sub_(mean).div_(std)


@lru_cache(maxsize=64)
def _scaled(values: tuple[float, float, float], white: float, device: torch.device) -> Tensor:
    """[3,1,1], cached, because a copy to a GPU waits for the GPU."""
    with torch.inference_mode(False):  # training uses the cached tensor, too
        return torch.tensor(values, device=device)[:, None, None] * white

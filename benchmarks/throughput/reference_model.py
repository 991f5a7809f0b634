"""The model of anomalib, as both servers of anomalib run it."""

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.reference import import_anomalib


class ReferenceModel:
    """The module that `models.py` wrote, loaded to a device; the default is a GPU if there is one."""

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        import_anomalib()
        self._device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._module: Any = torch.load(path, weights_only=False, map_location=self._device).eval()

    def decode(self, data: bytes) -> Tensor:
        """Bytes -> the normalised picture, [3,H,W]."""
        return self.normalised(torch.from_numpy(np.array(Image.open(io.BytesIO(data)).convert("RGB"))).permute(2, 0, 1))

    def normalised(self, pixels: Tensor) -> Tensor:
        """[3,H,W] uint8 -> the normalised picture on the device, [3,H,W]."""
        picture: Tensor = self._module.pre_processor.transform(pixels.to(self._device) / 255)
        return picture

    @torch.inference_mode()
    def predict(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """[N,3,H,W] -> raw scores [N] and maps [N,H,W], on the CPU."""
        found = self._module.model(pictures)
        return found.pred_score.flatten().cpu(), found.anomaly_map[:, 0].cpu()

    def describe(self, score: float) -> dict[str, object]:
        """The content of a response."""
        threshold = float(self._module.post_processor._image_threshold)
        return {"raw_score": score, "label": "anomalous" if score > threshold else "normal"}

"""The identity of a training, so that a training continues only from its own checkpoint."""

import hashlib
import json
from dataclasses import asdict

import torch

from app.detectors import Detector, OnePassDetector
from app.training.plan import Job, Recipe
from app.version import VERSION


def training_digest(recipe: Recipe, job: Job, backbone_weights: str) -> str:
    """SHA-256, in hexadecimal, of everything that determines the result of a training, except the number of epochs.

    The number of epochs may grow from one run of a training to the next. A detector that is fitted in one pass must
    have its initial weights.
    """
    stopping = recipe.trainer.early_stopping
    content = {
        "detector": [recipe.detector.name, recipe.detector.parameters_of_model, backbone_weights],
        "pictures": [
            [str(path), path.stat().st_size] for path in (*job.fit, *(picture.path for picture in job.calibrate))
        ],
        "fitted_to": len(job.fit),
        "preprocessing": asdict(job.preprocessing),
        "tiling": asdict(recipe.tiling),
        "steps": [recipe.data.train_batch_size, job.batch_tiles, recipe.trainer.precision, recipe.seed],
        "validation": [recipe.trainer.check_val_every_n_epoch, asdict(stopping) if stopping else None],
    }
    if isinstance(recipe.detector, OnePassDetector):  # its statistics belong to these weights and this program
        content["network"] = [_weights_digest(recipe.detector), VERSION, torch.__version__]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _weights_digest(detector: Detector) -> str:
    found = hashlib.sha256()
    for name, tensor in detector.state_dict().items():
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()

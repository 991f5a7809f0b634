"""What tells one training from another, so that a checkpoint is taken up by the training that it is of."""

import hashlib
import json
from dataclasses import asdict

from app.training.plan import Job, Recipe


def training_digest(recipe: Recipe, job: Job, backbone_weights: str) -> str:
    """SHA-256, in hexadecimal, of all that determines a training's result but the number of epochs, which may grow."""
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
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

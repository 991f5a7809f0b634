"""The process of a training: `python -m app.trainings.training_process ORDER PARENT`.

ORDER is a `TrainingOrder` as JSON; `run_child` has the rest. The result has the `version` of a model in the folder's
own repository. The model is not visible to anybody before the server takes it into its repository, so that this process
can be killed at any moment.
"""

import re
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import torch

from app.artifacts import ModelRepository, read_manifest
from app.detectors import Subspace
from app.training import DEFAULT_TILING, Recipe, alike_note, plan_training, train
from app.trainings.child import Reports, Send, run_child
from app.trainings.sent import SentPictures
from app.trainings.training_order import PICTURES, TrainingOrder

SEED = 0


def main() -> int:
    """Trains, and reports it; the exit status is 0 if the model is written."""
    order = TrainingOrder.decode(sys.argv[1])
    plain = partial(without_folders, folder=Path(order.folder))
    return run_child(order.limits, int(sys.argv[2]), partial(trained, order), plain)


def trained(order: TrainingOrder, send: Send) -> dict[str, object]:
    """The message about the model, which is written into the folder `models` of the order's folder."""
    folder = Path(order.folder)
    pictures = sorted((folder / PICTURES).glob("*/*"))
    unlike: list[str] = []

    def note_unlike(found: Iterable[Path]) -> None:
        unlike.extend(path.name for path in found)

    recipe = Recipe(Subspace(), SentPictures(pictures), DEFAULT_TILING, seed=SEED, unlike=note_unlike)
    device = torch.device("cpu")
    job = plan_training(recipe, device)
    entry = train(recipe, job, ModelRepository(folder / "models"), order.name, device, Reports(send))
    quality = read_manifest(entry.path).quality
    alarms = quality.false_alarms if quality else None
    notes = [alike_note(quality.alike)] if quality and quality.alike else []
    return {
        "version": entry.version,
        "caution": (alarms.caution if alarms else None) or "",
        "notes": notes,
        "unlike": unlike,
    }


def without_folders(message: str, folder: Path) -> str:
    """The message with the names of pictures instead of their paths on this machine."""
    return re.sub(rf"{re.escape(str(folder))}/pictures/\d+/", "", message).replace(f"{folder}/", "")


if __name__ == "__main__":
    sys.exit(main())

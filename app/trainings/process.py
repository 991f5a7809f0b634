"""The process of a training: `python -m app.trainings.process ORDER PARENT`.

ORDER is an `Order` as JSON, and PARENT the number of the server's process, with which this one ends. Standard output
has a message in each line, as JSON: `{"stage", "done", "total"}` for progress, and at last `{"version", ...}` of a
model in the folder's own repository, or `{"code", "message"}` of an error. The model is not visible to anybody before
the server takes it into its repository, so that this process can be killed at any moment.
"""

import json
import os
import re
import resource
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from app.artifacts import ModelRepository, read_manifest
from app.decoders.work import die_with, end_first, ignore_signals, set_limit
from app.detectors import Subspace
from app.errors import TesseraError
from app.pipeline import use_processors
from app.training import DEFAULT_TILING, Recipe, alike_note, plan_training, train
from app.training.time_left import ANNOUNCEMENT
from app.trainings.order import Order
from app.trainings.sent import SentPictures

Send = Callable[[dict[str, object]], None]
SEED = 0
LOWEST_PRIORITY = 19  # see nice(2)


def main() -> int:
    """Trains, and reports it; the exit status is 0 if the model is written."""
    ignore_signals()
    die_with(int(sys.argv[2]))
    end_first()
    order = Order.decode(sys.argv[1])
    os.nice(LOWEST_PRIORITY)
    set_limit(resource.RLIMIT_DATA, order.limits.memory_bytes)
    use_processors(order.limits.processors)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no message

    def send(message: dict[str, object]) -> None:
        print(json.dumps(message), file=out, flush=True)

    try:
        send(trained(order, send))
    except TesseraError as error:
        send({"code": error.code, "message": without_folders(str(error), Path(order.folder))})
        return 1
    return 0


def trained(order: Order, send: Send) -> dict[str, object]:
    """The message about the model, which is written into the folder `models` of the order's folder."""
    folder = Path(order.folder)
    pictures = sorted((folder / "pictures").glob("*/*"))
    unlike: list[str] = []

    def note_unlike(found: Iterable[Path]) -> None:
        unlike.extend(path.name for path in found)

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        if stage != ANNOUNCEMENT:
            send({"stage": stage, "done": done, "total": total})

    recipe = Recipe(Subspace(), SentPictures(pictures), DEFAULT_TILING, seed=SEED, unlike=note_unlike)
    device = torch.device("cpu")
    job = plan_training(recipe, device)
    entry = train(recipe, job, ModelRepository(folder / "models"), order.name, device, report)
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

"""The process of a teaching: `python -m app.trainings.teaching_process ORDER PARENT`.

ORDER is a `TeachingOrder` as JSON; `run_child` has the rest. The result has the proof, and the `version` of the
candidate in the folder's own repository: None if the proof refuses it, so that nothing was written. The server takes
the candidate into its repository, so that this process can be killed at any moment.
"""

import sys
from functools import partial
from pathlib import Path

from app.artifacts import ModelRepository
from app.store.kept import PictureStore
from app.teaching.proof import ProofResult, values_of
from app.teaching.taught import teach
from app.trainings.child import Reports, Send, run_child
from app.trainings.teaching_order import TeachingOrder


def main() -> int:
    """Teaches, and reports it; the exit status is 0 if there is a proof."""
    order = TeachingOrder.decode(sys.argv[1])
    return run_child(order.limits, int(sys.argv[2]), partial(taught, order), partial(plain, order=order))


def taught(order: TeachingOrder, send: Send) -> dict[str, object]:
    """The message about the candidate, which is written into the folder `models` of the order's folder."""
    store = PictureStore(Path(order.pictures), order.database, order.bounds)
    try:
        found = teach(
            ModelRepository(Path(order.models)),
            order.name,
            store,
            device="cpu",
            most_lost=order.most_lost,
            false_positive_rate=order.false_positive_rate,
            second_stage=order.second_stage,
            progress=Reports(send),
        )
        written = found.proof.result is not ProofResult.refused
        entry = found.learned.write(ModelRepository(Path(order.folder) / "models")) if written else None
    finally:
        store.close()
    return {
        "version": entry.version if entry else None,
        "served": found.served.version,
        "digest": found.digest,
        "seconds": found.learned.seconds,
        "notes": list(found.learned.notes),
        "proof": values_of(found.proof),
    }


def plain(message: str, order: TeachingOrder) -> str:
    """The message without the folders of this machine."""
    for folder in (order.folder, order.models, order.pictures):
        message = message.replace(f"{folder}/", "").replace(folder, "the server's folder")
    return message


if __name__ == "__main__":
    sys.exit(main())

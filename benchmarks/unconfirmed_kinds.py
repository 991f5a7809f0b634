"""Whether a second stage silences kinds of defects that nobody confirmed, on generated surfaces.

    python -m benchmarks.unconfirmed_kinds

The surfaces have scratches, pits and stains that are hard to see. For each kind, a model is taught ten defects of the
other two kinds and 90 harmless pictures, without and with a second stage. Counted are, among other pictures, the
defects of the kind that was never confirmed, those of the confirmed kinds, and good pictures, by the verdict.
"""

import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.data import MVTec
from app.scoring import share_interval
from app.teaching.learning import learn
from benchmarks.hardware import write
from benchmarks.quality.weak_surfaces import write_weak_surfaces
from benchmarks.teaching import defective, first_model, harmless, is_found

FIRST, HARMLESS, DEFECTS, TESTED = 10, 90, 10, 90


def main() -> None:
    ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = write_weak_surfaces(Path(place), FIRST + HARMLESS, TESTED)
        data = MVTec(place, folder.name)
        good, testing = data.train_pictures(), data.test_pictures()
        entry = first_model("subspace", good[:FIRST], Path(place))
        defects = [each for each in testing if each.anomalous]
        normal = [each for each in testing if not each.anomalous]
        kinds = sorted({each.path.parent.name for each in defects})
        rows: list[dict[str, object]] = []
        for kind in kinds:
            others = [each for each in defects if each.path.parent.name != kind]
            order = np.random.default_rng(29).permutation(len(others))
            confirmed, known = ([others[each] for each in part] for part in (order[:DEFECTS], order[DEFECTS:]))
            new = [each for each in defects if each.path.parent.name == kind]
            reviewed = [*(harmless(path) for path in good[FIRST:]), *(defective(each) for each in confirmed)]
            for second_stage in (False, True):
                taught = learn(entry, reviewed, second_stage=second_stage)
                taken = taught.taught.second_stage is not None
                counted = {
                    name: [sum(is_found(taught.model, each.path) for each in pictures), len(pictures)]
                    for name, pictures in (("unconfirmed", new), ("confirmed", known), ("good", normal))
                }
                rows.append({"kind": kind, "second_stage": second_stage, "taken": taken, **counted})
                print(rows[-1], *taught.notes, sep="\n", flush=True)
        write("unconfirmed-kinds", {"rows": rows, "sums": [_summed(rows, each) for each in (False, True)]})


def _summed(rows: Sequence[dict[str, object]], second_stage: bool) -> dict[str, object]:
    """The shares over the threshold for all kinds together, with intervals."""
    found: dict[str, object] = {"second_stage": second_stage}
    for name in ("unconfirmed", "confirmed", "good"):
        own = np.array([row[name] for row in rows if row["second_stage"] is second_stage])
        count, total = (int(each) for each in own.sum(0)) if len(own) else (0, 0)
        found[name] = {"count": count, "of": total, "interval": share_interval(count, total) if total else None}
    return found


if __name__ == "__main__":
    main()

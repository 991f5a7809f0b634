"""The time of PatchCore's coreset with codes (`app/detectors/coded_points.py`) and without, measured in turn.

    python -m benchmarks.coreset_codes --root ../shared/data/kolektorsdd --weights ../shared/weights/FILE

Patches are drawn from the 196,608 patches of 12 pictures of 1024 x 1024 pixels. The chosen rows are compared as sets,
because rows with equal float32 distances may be chosen in another order.
"""

from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from app.data import MVTec
from app.detectors import coreset
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.patches import embeddings

SIZE, PICTURES, ROUNDS = (1024, 1024), 12, 3
CASES = (32_768, 0.1), (60_000, 0.1), (196_608, 0.05)  # patches, and the share of them that is chosen


def main() -> None:
    given = with_data(__doc__).parse_args()
    torch.manual_seed(0)
    pictures = MVTec(str(given.root), "surface").train_pictures()[:PICTURES]
    patches = embeddings(pictures, given.weights, SIZE)
    patches = patches[torch.randperm(len(patches))]
    cases = [_compare(patches[:count], ratio) for count, ratio in CASES]
    write("coreset-codes", {"channels": patches.shape[1], "cases": cases})


def _compare(patches: Tensor, ratio: float) -> dict[str, object]:
    count, fewest = int(len(patches) * ratio), coreset.CODED_POINTS
    seconds: dict[bool, list[float]] = {True: [], False: []}
    chosen: dict[bool, set[int]] = {}
    for _ in range(ROUNDS):
        for coded in (True, False):
            coreset.CODED_POINTS = fewest if coded else len(patches) + 1
            started = perf_counter()
            chosen[coded] = set(coreset.k_center_greedy(patches, count).tolist())
            seconds[coded].append(perf_counter() - started)
    coreset.CODED_POINTS = fewest
    return {
        "patches": len(patches),
        "centres": count,
        "coded_s": [round(each, 2) for each in seconds[True]],
        "not_coded_s": [round(each, 2) for each in seconds[False]],
        "ratio_of_medians": round(median(seconds[False]) / median(seconds[True]), 2),
        "same_rows": chosen[True] == chosen[False],
    }


if __name__ == "__main__":
    main()

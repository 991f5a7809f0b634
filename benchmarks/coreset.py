"""The coreset of PatchCore: its time beside anomalib's, and its coverage beside that of plain greedy selection.

    .venv-parity/bin/python -m benchmarks.coreset --root ../shared/data/kolektorsdd --weights ../shared/weights/FILE

1 % of 409,600 patches of 40 pictures (see `benchmarks/kolektorsdd`) are selected. Three rounds run, in turn, this
project's whole selection, and anomalib's for 30 and for 130 centres. anomalib makes one pass over all patches per
centre, and all passes take the same time. So the difference of the two gives the time of a pass, and both together
give the projected time of the whole selection. `--whole` also runs that.

The radius is the largest distance of a patch to its nearest centre, in float64. Its reference is the definition of
farthest-first traversal: one pass per centre over all patches, from the same first patch.
"""

from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from app.detectors.coreset import k_center_greedy
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.kolektorsdd.setting import SETTINGS, training_pictures
from benchmarks.patches import embeddings
from benchmarks.reference import import_anomalib

FEW, MORE, ROUNDS = 30, 130, 3
RATIO = 0.01


def main() -> None:
    parser = with_data(__doc__)
    parser.add_argument("--whole", action="store_true", help="also run anomalib's selection to its end")
    given = parser.parse_args()
    import_anomalib()
    setting = SETTINGS["patchcore"]
    patches = embeddings(training_pictures(given.root, "patchcore"), given.weights, setting.size)
    count = int(len(patches) * RATIO)
    ours, passes, fixed = [], [], []
    for _ in range(ROUNDS):
        started = perf_counter()
        chosen = k_center_greedy(patches, count)
        ours.append(perf_counter() - started)
        few, more = _anomalib(patches, FEW)[0], _anomalib(patches, MORE)[0]
        passes.append((more - few) / (MORE - FEW))
        fixed.append(few - FEW * passes[-1])
    projected = median(fixed) + count * median(passes)
    result: dict[str, object] = {
        "patches": list(patches.shape),
        "centres": count,
        "tessera_s": [round(seconds, 1) for seconds in ours],
        "anomalib_s_per_centre": [round(seconds, 4) for seconds in passes],
        "anomalib_projected_s": round(projected, 1),
        "ratio_of_medians": round(projected / median(ours), 1),
        **_coverage(patches, chosen),
    }
    if given.whole:
        seconds, theirs = _anomalib(patches, count)
        result |= {"anomalib_whole_s": round(seconds, 1), "anomalib_radius": _radius(patches, theirs)}
    write("coreset", result)


def _anomalib(patches: Tensor, count: int) -> tuple[float, Tensor]:
    """The seconds of anomalib's selection of `count` patches, and the selected rows."""
    from anomalib.models.components.sampling import KCenterGreedy

    torch.manual_seed(0)
    started = perf_counter()
    chosen = KCenterGreedy(patches, sampling_ratio=(count + 0.5) / len(patches)).select_coreset_idxs()
    return perf_counter() - started, torch.tensor(chosen)


def _coverage(patches: Tensor, chosen: Tensor) -> dict[str, object]:
    greedy, squares = [0], torch.full((len(patches),), torch.inf)
    norms = torch.linalg.vector_norm(patches, dim=1).square_()
    while len(greedy) < len(chosen):
        centre = patches[greedy[-1]]
        squares = torch.minimum(squares, torch.mv(patches, -2 * centre).add_(norms).add_(norms[greedy[-1]]))
        greedy.append(int(squares.argmax()))
    ours, plain = _radius(patches, chosen), _radius(patches, torch.tensor(greedy))
    same = (chosen == torch.tensor(greedy)).float().mean()
    return {"radius": ours, "plain_greedy_radius": plain, "same_centres_share": round(float(same), 4)}


def _radius(patches: Tensor, chosen: Tensor) -> float:
    centres = patches[chosen].double()
    nearest = [torch.cdist(rows.double(), centres).amin(1).max() for rows in patches.split(4096)]  # type: ignore[no-untyped-call]  # torch leaves it so
    return round(float(torch.stack(nearest).max()), 5)


if __name__ == "__main__":
    main()

"""The search of PatchCore's memory bank: its time beside that of all distances, and the rows that its bounds leave.

    .venv-parity/bin/python -m benchmarks.search --root ../shared/data/kolektorsdd --weights ../shared/weights/FILE

The coreset selects banks of 10,000 and 50,000 patches from 30 training pictures. Queries are the patches of two test
pictures of 1024 x 1024 pixels, one without and one with a defect: 16,384 per picture. First the results are compared:
those of `exact` with the nearest rows in float64 (of every 16th patch) and with all distances in float32, those of
`approximate` with exact ones. Then all searches are timed in turn, on both pictures. Figures are per picture, and the
smallest of the rounds. "Left" are the rows whose bound does not exceed the true distance of the row with the smallest
bound.
"""

from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor

from app.data import MVTec
from app.detectors import SearchMode
from app.detectors.bounded import SIZES
from app.detectors.coreset import k_center_greedy
from app.detectors.nearest import nearest
from app.detectors.search import BankSearch
from app.detectors.small_space import Codes, SmallSpace
from benchmarks.command_line import with_data
from benchmarks.hardware import write
from benchmarks.patches import embeddings
from benchmarks.reference import import_anomalib

BANKS = 10_000, 50_000
SIZE, TRAINING, ROUNDS = (1024, 1024), 30, 3
Search = Callable[[Tensor], tuple[Tensor, Tensor]]


def main() -> None:
    given = with_data(__doc__).parse_args()
    data = MVTec(str(given.root), "surface")
    tested = data.test_pictures()
    chosen = [next(picture.path for picture in tested if (picture.mask is None) == good) for good in (True, False)]
    queries = embeddings(chosen, given.weights, SIZE).chunk(2)
    patches = embeddings(data.train_pictures()[:TRAINING], given.weights, SIZE)
    coreset = patches[k_center_greedy(patches, max(BANKS))].clone()  # its first rows are a smaller coreset
    del patches
    with torch.inference_mode():
        banks = {f"bank_{rows}": _compare(coreset[:rows].clone(), list(queries)) for rows in BANKS}
    write("search", {"patches_a_picture": len(queries[0]), "channels": coreset.shape[1], **banks})


def _compare(bank: Tensor, pictures: list[Tensor]) -> dict[str, object]:
    started = perf_counter()
    exact = BankSearch(bank, SearchMode.exact)
    built = perf_counter() - started
    approximate = BankSearch(bank, SearchMode.approximate)
    searches: dict[str, Search] = {
        "exact": exact.nearest,
        "approximate": approximate.nearest,
        "all_distances": lambda queries: nearest(queries, bank),
    }
    agreement = _agreement(bank, torch.cat(pictures), exact, approximate)
    try:
        searches["anomalib"] = _anomalib(bank)
    except ImportError:
        print("anomalib is not installed; see benchmarks/README.md")
    times: dict[str, list[float]] = {name: [] for name in searches}
    for _ in range(ROUNDS):
        for name, search in searches.items():
            started = perf_counter()
            for queries in pictures:
                search(queries)
            times[name].append((perf_counter() - started) / len(pictures))
    seconds = {name: round(min(each), 4) for name, each in times.items()}
    return {"build_s": round(built, 3), "seconds": seconds, **agreement, "left": _left(bank, torch.cat(pictures)[::16])}


def _agreement(bank: Tensor, queries: Tensor, exact: BankSearch, approximate: BankSearch) -> dict[str, object]:
    """Asserts that exact results are right. Returns the shares of equal rows, and the errors of approximate results."""
    distances, index = exact.nearest(queries)
    expected = nearest(queries, bank)
    assert (distances <= expected[0]).all()  # less if rounding makes `nearest` prefer another row
    torch.testing.assert_close(distances, expected[0], rtol=1e-5, atol=0)
    true = torch.cdist(queries[::16].double(), bank.double()).amin(1)
    torch.testing.assert_close(distances[::16].double(), true, rtol=1e-5, atol=0)
    other, other_index = approximate.nearest(queries)
    error = other / distances - 1
    return {
        "exact_same_share": float((expected[1] == index).double().mean()),
        "approximate_same_share": round(float((other_index == index).float().mean()), 4),
        "approximate_error": {"mean": float(error.mean()), "largest": float(error.max())},
    }


def _left(bank: Tensor, queries: Tensor) -> dict[str, float]:
    space = SmallSpace(bank, SIZES[torch.int8], torch.int8)
    near, far = space.codes(bank), space.codes(queries)
    bounds = torch.cdist(_points(far), _points(near)) - far.errors[:, None] - near.errors
    known = torch.linalg.vector_norm(queries.double() - bank[bounds.argmin(1)].double(), dim=1)
    left = (bounds <= known[:, None]).sum(1).double()
    return {"mean": round(float(left.mean()), 1), "p99": float(left.quantile(0.99)), "most": float(left.max())}


def _points(codes: Codes) -> Tensor:
    return codes.values.double() * codes.scale.double()[:, None]


def _anomalib(bank: Tensor) -> Search:
    import_anomalib()
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    model = PatchcoreModel(layers=["layer2", "layer3"], backbone="resnet18", pre_trained=False)
    model.memory_bank = bank

    def search(queries: Tensor) -> tuple[Tensor, Tensor]:
        distances, index = model.nearest_neighbors(queries, n_neighbors=1)
        return distances, index

    return search


if __name__ == "__main__":
    main()

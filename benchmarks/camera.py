"""After how many pictures a changed camera is reported, and under which name; false alarms; the time of a picture.

    .venv/bin/python -m benchmarks.camera --root ../shared/data/kolektorsdd

Trains Subspace on 60 pictures of KolektorSDD. Unchanged test pictures are resampled to 2,000. Each change is made to
test pictures, and begins at the start or after 200 unchanged ones. The simulation draws p-values as they
are without a change, and compares the share of runs with a false alarm with its bound. `began` is the
picture at which a change is said to begin, where the first changed picture is 1; in the last simulation it is 300.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from app.artifacts import ModelRepository, load_artifact
from app.data import MVTec, UnreadablePolicy, decoded
from app.detectors import Subspace
from app.drift import MEAN_PICTURES, Appearance, Baseline, Monitor, appearance, baseline_of, map_levels
from app.drift.evidence import PLACES, SHIFTS, bets
from app.pipeline import TiledModel, predict
from app.progress import silent
from app.tiling import Tiling
from app.training import Recipe, plan_training, train
from benchmarks.command_line import with_root
from benchmarks.hardware import write

CPU = torch.device("cpu")
PICTURES, EDITED, RUNS, LIMIT = 60, 16, 40, 300
Edit = Callable[[np.ndarray], np.ndarray]


def smudge(pixels: np.ndarray) -> np.ndarray:
    """A soft spot in the tile of row 2 and column 0, 15 % darker and blurred."""
    y, x = np.mgrid[:256, :256]
    share = np.exp(-((y - 128) ** 2 + (x - 128) ** 2) / (2 * 50**2))
    edited, tile = pixels.copy(), pixels[512:768, :256]
    edited[512:768, :256] = tile * (1 - share) + 0.85 * share * ndimage.gaussian_filter(tile, 8)
    return edited


CHANGES: dict[str, tuple[str, Edit]] = {
    "brightness +8 %": ("light", lambda pixels: pixels * 1.08),
    "brightness -8 %": ("light", lambda pixels: pixels * 0.92),
    "shift by 6 columns, edge repeated": ("camera_moved", lambda p: ndimage.shift(p, (0, 6), order=0, mode="nearest")),
    "shift by 6 columns, rolled": ("camera_moved", lambda pixels: np.roll(pixels, 6, 1)),
    "shift by 6 rows, edge black": ("camera_moved", lambda p: ndimage.shift(p, (6, 0), order=0)),
    "blur of sigma 1.5": ("out_of_focus", lambda pixels: ndimage.gaussian_filter(pixels, 1.5)),
    "smudge on one tile": ("dirt", smudge),
}


def main() -> None:
    given = with_root(__doc__).parse_args()
    data = MVTec(str(given.root), "surface", num_workers=0)
    with TemporaryDirectory() as folder:
        model, baseline = _trained(data, Path(folder))
    paths = [each.path for each in data.test_pictures() if not each.anomalous]
    images = list(decoded(paths, 0, UnreadablePolicy()))
    grid = baseline.grid
    unchanged = [_statistics(model, image, baseline) for image in images]
    started = perf_counter()
    for image in images:
        appearance(image, grid)
    picture_us = 1e6 * (perf_counter() - started) / len(images)
    monitor = Monitor("surface", 1, baseline, lambda _: None, 0)
    started = perf_counter()
    for each in unchanged:
        monitor.add(each)
    test_us = 1e6 * (perf_counter() - started) / len(unchanged)
    result = {
        "training_pictures": PICTURES,
        "threshold": MEAN_PICTURES,
        "unchanged": [_unchanged(baseline, unchanged, seed) for seed in range(3)],
        "changes": {
            name: _told(
                baseline, unchanged, [_statistics(model, _edited(image, edit), baseline) for image in some], cause
            )
            for some in [images[:: max(1, len(images) // EDITED)]]
            for name, (cause, edit) in CHANGES.items()
        },
        "simulation": _simulated(10_000, 2_000, 10),
        "began_at_300": {f"shift by {shift:g} standard deviations": _began(shift) for shift in (1.0, 1.5, 2.0, 3.0)},
        "microseconds_a_picture": {"statistics of 500 x 1260 pixels": round(picture_us), "test": round(test_us)},
    }
    write("camera", result)


def _trained(data: MVTec, folder: Path) -> tuple[TiledModel, Baseline]:
    own = data.train_pictures()
    chosen = [own[number * len(own) // PICTURES] for number in range(PICTURES)]
    data.train_pictures = lambda: chosen  # type: ignore[method-assign]  # fewer pictures
    recipe = Recipe(Subspace(), data, Tiling(tile_size=256), seed=0, assess=False)
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(folder), "surface", CPU, silent)
    artifact = load_artifact(entry)
    assert artifact.manifest.camera is not None
    return artifact.model, artifact.manifest.camera.build()


def _edited(image: Tensor, edit: Edit) -> Tensor:
    planes = [edit(plane.astype(np.float32)) for plane in image.numpy()]
    return torch.from_numpy(np.stack(planes).round().clip(0, 255).astype(np.uint8))


def _statistics(model: TiledModel, image: Tensor, baseline: Baseline) -> Appearance:
    outcome = predict(model, image)
    return appearance(image, baseline.grid) | map_levels(outcome.anomaly_map, outcome.raw_score, baseline.grid)


def _unchanged(baseline: Baseline, pictures: Sequence[Appearance], seed: int) -> dict[str, float]:
    random, monitor, highest = np.random.default_rng(seed), Monitor("surface", 1, baseline, lambda _: None, seed), 0.0
    for number in random.integers(0, len(pictures), 2_000):
        monitor.add(pictures[number])
        highest = max(highest, monitor.health().evidence)
    return {"pictures": 2_000, "alarms": monitor.health().alarms, "highest_evidence": round(highest, 1)}


def _told(
    baseline: Baseline, before: Sequence[Appearance], changed: Sequence[Appearance], cause: str
) -> dict[str, object]:
    """The pictures up to the named alarm, from the start and after 200 unchanged pictures."""
    found: dict[str, object] = {"expected": cause}
    for ahead in (0, 200):
        needed: list[int] = []
        began: list[int] = []
        names = Counter[str]()
        for seed in range(RUNS):
            random, monitor = np.random.default_rng(seed), Monitor("surface", 1, baseline, lambda _: None, seed)
            for number in random.integers(0, len(before), ahead):
                monitor.add(before[number])
            for number in random.integers(0, len(changed), LIMIT):
                event = monitor.add(changed[number])
                if event is not None:
                    names[event.changes[0]] += 1
                    began.append(event.since - ahead)
                    break
            needed.append(monitor.health().pictures - ahead)
        found[f"after_{ahead}"] = {
            "median": float(np.median(needed)),
            "most": max(needed),
            "named": dict(names),
            "began": _quantiles(began),
        }
    return found


def _began(shift: float) -> dict[str, float]:
    """The pictures at which a shift of one of three statistics, from picture 300 on, is said to begin."""
    names, found = ("brightness", "sharpness", "score"), []
    for seed in range(100):
        random = np.random.default_rng(seed)
        baseline = baseline_of((1, 1), [dict(zip(names, random.normal(size=3), strict=True)) for _ in range(100)])
        assert baseline is not None
        monitor = Monitor("surface", 1, baseline, lambda _: None, seed)
        for number in range(1, 1_000):
            values = random.normal(size=3) + (number >= 300) * shift * np.array([1, 0, 0])
            event = monitor.add(dict(zip(names, values, strict=True)))
            if event is not None:
                found.append(event.since)
                break
    return {"alarms": len(found)} | _quantiles(found)


def _quantiles(pictures: Sequence[int]) -> dict[str, float]:
    return {f"{share:.0%}": float(np.quantile(pictures, share)) for share in (0.05, 0.25, 0.5, 0.75, 0.95)}


def _simulated(runs: int, pictures: int, streams: int) -> dict[str, float]:
    """Runs in which nothing changes: the share with an alarm within so many pictures, beside its bound.

    While pictures are exchangeable, the p-values of a stream are independent and uniform
    (tests/drift/test_evidence.py), whatever the training. Streams share half of their p-values, because statistics
    depend on one another.
    """
    random, table = np.random.default_rng(0), bets()
    alarmed = 0
    for _ in range(0, runs, 500):
        sums = np.zeros((len(SHIFTS), 500, streams))
        over = np.zeros(500, bool)
        for _ in range(pictures):
            shared = random.random((500, 1))
            own = random.random((500, streams))
            values = np.where(random.random((500, streams)) < 0.5, shared, own)
            sums = (sums + 1) * table[:, (values * PLACES).astype(int)]
            over |= sums.mean((0, 2)) >= MEAN_PICTURES
        alarmed += int(over.sum())
    return {"runs": runs, "pictures": pictures, "alarmed": alarmed / runs, "bound": pictures / MEAN_PICTURES}


if __name__ == "__main__":
    main()

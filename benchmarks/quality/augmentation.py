"""Whether copies of few training pictures, turned, mirrored, darker or lighter, make a better first model.

    python -m benchmarks.quality.augmentation --root ../shared/data/kolektorsdd [--draws 4]

Each draw takes ten good pictures for a `Subspace`, as `POST /v1/models` does, and fits it to them and to their copies.
The test pictures are those of the data set, without copies. `shift` is a test of other light: the same test pictures,
all 5 % darker, and the share of the normal ones over the 95th percentile of normal pictures in the usual light.
"""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.artifacts import ModelRepository, load_artifact
from app.data import MVTec, decoded
from app.detectors import Features, OnePassDetector, Subspace
from app.pipeline import Grid, Prepared, TiledModel, assembled
from app.progress import silent
from app.scoring import auroc
from app.training import DEFAULT_TILING, Recipe, plan_training, train
from app.training.feature_store import FeatureStore
from app.training.fused import with_fused_network
from app.training.one_pass import add_features
from app.trainings.sent import SentPictures
from benchmarks.command_line import with_root
from benchmarks.hardware import write
from benchmarks.quality.turned_objects import write_objects

CPU = torch.device("cpu")
FIRST = 10
"""Training pictures of a first model."""
OBJECTS = 40
"""Normal pictures, and test pictures of each label, of the drawn data set."""
Change = Callable[[Tensor], Tensor]


def lighter(factor: float) -> Change:
    return lambda image: (image.float() * factor).round().clamp(max=255).to(torch.uint8)


def turned(quarters: int, mirror: bool = False) -> Change:
    return lambda image: torch.rot90(image.flip(-1) if mirror else image, quarters, (-2, -1))


MIRRORED: Sequence[Change] = (turned(0, mirror=True), turned(2, mirror=True), turned(2))
LIGHT: Sequence[Change] = (lighter(0.95), lighter(1.05))
COPIES: Mapping[str, Mapping[str, Sequence[Change]]] = {
    "surface": {"none": (), "mirrored": MIRRORED, "light": LIGHT, "both": (*MIRRORED, *LIGHT)},
    "object": {
        "none": (),
        "turned": [turned(quarters) for quarters in (1, 2, 3)],
        "turned and mirrored": [turned(quarters, mirror) for quarters in range(4) for mirror in (False, True)][1:],
        "light": LIGHT,
    },
}
"""The copies of a picture, by the category and the name of the trial."""


def main() -> None:
    parser = with_root(__doc__)
    parser.add_argument("--draws", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_objects(Path(folder) / "pictures", OBJECTS, OBJECTS)
        sources = {"surface": given.root, "object": Path(folder) / "pictures"}
        results = {
            name: _summary(list(_runs(MVTec(str(root), name), COPIES[name], given.draws, Path(folder))))
            for name, root in sources.items()
        }
    write("augmentation", {"draws": given.draws, "pictures": FIRST, "data": results})


@torch.inference_mode()
def _runs(
    data: MVTec, trials: Mapping[str, Sequence[Change]], draws: int, folder: Path
) -> Iterator[tuple[str, dict[str, float]]]:
    pool, testing = data.train_pictures(), data.test_pictures()
    anomalous = np.array([each.anomalous for each in testing])
    usual, darker = None, None
    for draw in range(draws):
        numbers = np.random.default_rng([29, draw]).permutation(len(pool))[:FIRST]
        root = Path(tempfile.mkdtemp(dir=folder))
        model = _first_model([pool[number] for number in numbers], root)
        if usual is None or darker is None:
            images = list(decoded([each.path for each in testing], 0))
            usual = _stored(model, images, folder)
            darker = _stored(model, [lighter(0.95)(image) for image in images], folder)
        good = list(decoded([pool[number] for number in numbers], 0))
        for name, changes in trials.items():
            fitted = _fitted(model, [[image, *(change(image) for change in changes)] for image in good])
            scores, dark = _scores(fitted, usual), _scores(fitted, darker)
            limit = np.quantile(scores[~anomalous], 0.95)
            figures = {
                "image_auroc": auroc(scores.tolist(), anomalous.tolist()),
                "recall_at_5%": float((scores[anomalous] > limit).mean()),
                "shift": float((dark[~anomalous] > limit).mean()),
            }
            print(draw, name, figures, flush=True)
            yield name, figures
        shutil.rmtree(root)


def _first_model(good: list[Path], root: Path) -> TiledModel:
    """As a server trains a first model, without the assessment by synthetic defects, which changes no model."""
    recipe = Recipe(Subspace(), SentPictures(good), DEFAULT_TILING, seed=0, assess=False)
    return load_artifact(
        train(recipe, plan_training(recipe, CPU), ModelRepository(root / "models"), "m", CPU, silent)
    ).model


def _stored(model: TiledModel, images: Sequence[Tensor], folder: Path) -> FeatureStore:
    """The features of the pictures, which are the same for all models with this network."""
    store, fused = FeatureStore(folder), with_fused_network(model)
    for image in images:
        prepared = model.prepare(image)
        for _ in store.keep(prepared, fused.outputs(prepared)):
            pass
    return store


def _fitted(model: TiledModel, pictures: Sequence[Sequence[Tensor]]) -> TiledModel:
    """The model with a detector that is fitted to all copies of the pictures."""
    detector, fused = deepcopy(model.detector), with_fused_network(model)
    assert isinstance(detector, OnePassDetector)
    images = [image for copies in pictures for image in copies]
    grids = [Grid.of(model, (image.shape[-2], image.shape[-1])).cells for image in images]
    fitter = detector.fitter(len(images), (max(rows for rows, _ in grids), max(columns for _, columns in grids)))
    for image in images:
        prepared = model.prepare(image)
        outputs: Iterator[Features] = fused.outputs(prepared)
        add_features(fitter, prepared.plan, detector.feature_strides, outputs)
    fitter.finish(silent)
    return model.with_detector(detector)


def _scores(model: TiledModel, store: FeatureStore) -> NDArray[np.float64]:
    return np.array([_score(model, prepared, outputs) for prepared, outputs in store.pictures(CPU)])


def _score(model: TiledModel, prepared: Prepared, outputs: Iterator[Features]) -> float:
    return assembled(model, outputs, prepared).raw_score


def _summary(runs: Sequence[tuple[str, dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    """The mean and the standard deviation of each figure over the draws, by the name of the trial."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, figures in runs:
        for figure, value in figures.items():
            found[name][figure].append(value)
    return {
        name: {
            figure: [round(fmean(values), 4), round(stdev(values) if len(values) > 1 else 0.0, 4)]
            for figure, values in figures.items()
        }
        for name, figures in found.items()
    }


if __name__ == "__main__":
    main()

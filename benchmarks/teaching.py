"""What teaching does on KolektorSDD: from ten good pictures, and a hundred that come and are reviewed by the truth.

    python -m benchmarks.teaching --root ../shared/data/kolektorsdd [--draws 3] [--first subspace-thumbnail]

Each draw takes ten good pictures for a first model: `subspace`, as `POST /v1/models` trains it; `subspace-thumbnail`,
the same with a thumbnail; or `patchcore-thumbnail`, the detector that `--model Auto` prefers for pictures with one
framing, which takes hours, because its bank grows with each round. A hundred others come in ten rounds, each of nine
good pictures and one with a defect. The served version predicts a round; then all pictures so far are reviewed, good
ones as harmless, defects with the frames of their masks, and the next version is taught from them. Held out are the
good pictures for testing and the defects that do not come. Nothing is chosen by these pictures.

`false_alarms` are shares of good pictures, `recall` of pictures with defects, by the picture's verdict. `lost` counts
confirmed defects that the first model finds and the served version does not. Intervals of shares are Clopper-Pearson's
of all draws together, as if the draws were independent; they share the held-out good pictures.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from app.artifacts import Entry, ModelRepository, load_artifact
from app.data import LabelledPicture, MVTec, decoded, picture_digest
from app.detectors import Patchcore, Subspace, with_thumbnail
from app.detectors.patch_embedding import PatchDetector
from app.evaluation.mask import read_mask
from app.pipeline import TiledModel, assembled, predict
from app.progress import silent
from app.reviews import ReviewedPicture, ReviewedRegion, ReviewLabel
from app.scoring import ScoreRule, auroc, share_interval
from app.teaching.learning import learn
from app.training import DEFAULT_TILING, Recipe, plan_training, train
from app.training.feature_store import FeatureStore
from app.training.fused import with_fused_network
from app.training.selection import bounded
from app.trainings.sent import SentPictures
from benchmarks.command_line import with_root
from benchmarks.hardware import write

CPU = torch.device("cpu")
FIRST, ROUNDS, GOOD = 10, 10, 9
"""Pictures of the first model, rounds, and good pictures of a round, beside one with a defect."""
FIRST_MODELS: dict[str, Callable[[], PatchDetector]] = {
    "subspace": Subspace,
    "subspace-thumbnail": Subspace,
    "patchcore-thumbnail": partial(Patchcore, score=ScoreRule.top),
}


@dataclass(frozen=True, slots=True)
class Served:
    """What the version that is served after a number of reviewed pictures does, in counts.

    next_*: of the pictures that come next; None after the last round
    held_*: of the held-out pictures
    held_lost: held-out defects that the first model finds, and this version does not
    held_alarms_at_first_recall: held-out good pictures over the threshold at which this version would find as many
        held-out defects as the first model: how well it tells them apart, whatever its threshold is
    held_auroc: the area under the ROC curve of the held-out pictures' scores
    confirmed, lost: reviewed defects that the first model finds, and those of them that this version does not find
    """

    draw: int
    reviewed: int
    next_alarms: int | None
    next_found: int | None
    held_alarms: int
    held_good: int
    held_found: int
    held_defects: int
    held_lost: int
    held_alarms_at_first_recall: int
    held_auroc: float
    confirmed: int
    lost: int


def main() -> None:
    parser = with_root(__doc__)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", choices=FIRST_MODELS, default="subspace")
    given = parser.parse_args()
    data = MVTec(str(given.root), "surface")
    found = [served for draw in range(given.draws) for served in _draw(data, draw, given.first)]
    curve = [_point(found, reviewed) for reviewed in sorted({each.reviewed for each in found})]
    setting = {
        "draws": given.draws,
        "first_model": given.first,
        "first": FIRST,
        "rounds": ROUNDS,
        "good_of_a_round": GOOD,
    }
    name = "teaching" if given.first == "subspace" else f"teaching-{given.first}"
    path = write(name, {"setting": setting, "curve": curve, "served": [asdict(each) for each in found]})
    path.with_suffix(".svg").write_text(_plot(curve))


@dataclass(frozen=True, slots=True)
class Draw:
    """The pictures of a draw, and the first model.

    good, coming: the good pictures and those with a defect that come after the first model
    held_out: the other test pictures, whose features `store` has
    """

    entry: Entry
    model: TiledModel
    good: Sequence[Path]
    coming: Sequence[LabelledPicture]
    held_out: Sequence[LabelledPicture]
    store: FeatureStore


@contextmanager
def drawn(data: MVTec, draw: int, first: str) -> Iterator[Draw]:
    """Draws the pictures, and trains the first model, see FIRST_MODELS; its files are removed at the end."""
    rng = np.random.default_rng([29, draw])
    pool, testing = data.train_pictures(), data.test_pictures()
    good = [pool[number] for number in rng.permutation(len(pool))[: FIRST + ROUNDS * GOOD]]
    defects = [each for each in testing if each.anomalous]
    defects = [defects[number] for number in rng.permutation(len(defects))]
    coming, held_out = defects[:ROUNDS], [*(each for each in testing if not each.anomalous), *defects[ROUNDS:]]
    root = Path(tempfile.mkdtemp())
    try:
        entry = first_model(first, good[:FIRST], root)
        model = load_artifact(entry).model
        with FeatureStore(root) as store:
            for image in decoded([each.path for each in held_out], 0):
                prepared = model.prepare(image)
                for _ in store.keep(prepared, with_fused_network(model).outputs(prepared)):
                    pass
            yield Draw(entry, model, good[FIRST:], coming, held_out, store)
    finally:
        shutil.rmtree(root)


def _draw(data: MVTec, draw: int, first: str) -> Iterator[Served]:
    with drawn(data, draw, first) as found:
        yield from _rounds(found.entry, found.good, found.coming, found.held_out, found.store, draw)


def first_model(name: str, good: Sequence[Path], root: Path) -> Entry:
    """The first model, without the assessment by synthetic defects, which changes no model."""
    tiling = replace(DEFAULT_TILING, thumbnail=name.endswith("-thumbnail"))
    detector = FIRST_MODELS[name]()
    recipe = Recipe(with_thumbnail(detector, tiling), SentPictures(list(good)), tiling, seed=0, assess=False)
    job = plan_training(recipe, CPU)
    bounded(detector, job, len(good))
    return train(recipe, job, ModelRepository(root / "models"), "surface", CPU, silent)


def _rounds(
    base: Entry,
    good: Sequence[Path],
    coming: Sequence[LabelledPicture],
    held_out: Sequence[LabelledPicture],
    store: FeatureStore,
    draw: int,
) -> Iterator[Served]:
    model = load_artifact(base).model
    anomalous = np.array([each.anomalous for each in held_out])
    first, known = (
        raw_scores(model, store, len(held_out)) > threshold(model),
        [is_found(model, each.path) for each in coming],
    )
    as_many = int(first[anomalous].sum())
    reviewed: list[ReviewedPicture] = []
    for number in range(ROUNDS + 1):
        if number:
            model = learn(base, reviewed).model
        scores = raw_scores(model, store, len(held_out))
        verdicts = scores > threshold(model)
        lowest = np.sort(scores[anomalous])[::-1][max(as_many - 1, 0)]
        confirmed = [place for place in range(number) if known[place]]
        last = number == ROUNDS
        round_good = good[number * GOOD : (number + 1) * GOOD]
        yield _printed(
            Served(
                draw,
                number * (GOOD + 1),
                None if last else sum(is_found(model, path) for path in round_good),
                None if last else int(is_found(model, coming[number].path)),
                int(verdicts[~anomalous].sum()),
                int((~anomalous).sum()),
                int(verdicts[anomalous].sum()),
                int(anomalous.sum()),
                int((first & ~verdicts)[anomalous].sum()),
                int((scores[~anomalous] >= lowest).sum()),
                auroc(scores.tolist(), anomalous.tolist()),
                len(confirmed),
                sum(not is_found(model, coming[place].path) for place in confirmed),
            )
        )
        if not last:
            reviewed += [harmless(path) for path in round_good]
            reviewed.append(defective(coming[number]))


def raw_scores(model: TiledModel, store: FeatureStore, count: int) -> NDArray[np.float64]:
    """The raw scores of the held-out pictures, whose features are the same for all versions."""
    scores = [assembled(model, outputs, prepared).raw_score for prepared, outputs in store.pictures(CPU)]
    assert len(scores) == count, "the features of the held-out pictures need more room on the disk"
    return np.array(scores)


def threshold(model: TiledModel) -> float:
    assert model.calibration is not None
    return model.calibration.image_threshold


def is_found(model: TiledModel, path: Path) -> bool:
    return predict(model, _read(path)).raw_score > threshold(model)


def _read(path: Path) -> torch.Tensor:
    return next(iter(decoded([path], 0)))


def harmless(path: Path) -> ReviewedPicture:
    return ReviewedPicture(path.name, picture_digest(path.read_bytes()), ReviewLabel.harmless, (), partial(_read, path))


def defective(picture: LabelledPicture) -> ReviewedPicture:
    """A picture whose regions are the frames of the parts of its mask."""
    path = picture.path
    height, width = _read(path).shape[-2:]
    inside = read_mask(picture, (height, width)).inside
    regions = []
    for rows, columns in ndimage.find_objects(ndimage.label(inside)[0]) if inside is not None else ():
        left, top, right, bottom = columns.start, rows.start, columns.stop, rows.stop
        ring = ((left, top), (right, top), (right, bottom), (left, bottom))
        regions.append(ReviewedRegion(ReviewLabel.defect, (ring,)))
    digest = picture_digest(path.read_bytes())
    return ReviewedPicture(path.name, digest, ReviewLabel.defect, tuple(regions), partial(_read, path))


def _printed(served: Served) -> Served:
    print(served, flush=True)
    return served


def _point(found: Sequence[Served], reviewed: int) -> dict[str, object]:
    """The shares of all draws after this number of reviewed pictures, with intervals."""
    own = [each for each in found if each.reviewed == reviewed]
    point: dict[str, object] = {
        "reviewed": reviewed,
        "auroc": round(fmean(each.held_auroc for each in own), 4),
    }
    pairs = {
        "false_alarms": (sum(each.held_alarms for each in own), sum(each.held_good for each in own)),
        "recall": (sum(each.held_found for each in own), sum(each.held_defects for each in own)),
        "lost": (sum(each.lost for each in own), sum(each.confirmed for each in own)),
        "false_alarms_at_first_recall": (
            sum(each.held_alarms_at_first_recall for each in own),
            sum(each.held_good for each in own),
        ),
        "held_out_lost": (sum(each.held_lost for each in own), sum(each.held_defects for each in own)),
    }
    alarms = [each.next_alarms for each in own if each.next_alarms is not None]
    hits = [each.next_found for each in own if each.next_found is not None]
    if alarms:
        pairs |= {"next_false_alarms": (sum(alarms), GOOD * len(alarms)), "next_recall": (sum(hits), len(hits))}
    for name, (count, total) in pairs.items():
        share = count / total if total else None
        point[name] = {"count": count, "of": total, "share": share, "interval": share_interval(count, total)}
    return point


def _plot(curve: Sequence[dict[str, object]]) -> str:
    """Both shares of the held-out pictures against the number of reviewed pictures, with intervals, as SVG."""
    left, top, width, height = 60, 40, 640, 260
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {top + height + 50}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{left}" y="20" font-size="12">KolektorSDD, from ten good pictures: held-out '
        '<tspan fill="#d55e00">false alarms</tspan> and <tspan fill="#0072b2">recall</tspan>, with 95 % '
        "intervals</text>",
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = top + height * (1 - share)
        parts.append(f'<path d="M{left} {y}H{left + width}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{share:g}</text>')
    most = max(_number(point, "reviewed") for point in curve) or 1
    for name, colour, shift in (("false_alarms", "#d55e00", -3), ("recall", "#0072b2", 3)):
        places: list[str] = []
        for point in curve:
            found = point[name]
            assert isinstance(found, dict)
            x = left + 10 + (width - 20) * _number(point, "reviewed") / most + shift
            low, high = found["interval"]
            ends = f"M{x:.1f} {top + height * (1 - low):.1f}V{top + height * (1 - high):.1f}"
            y = top + height * (1 - found["share"])
            parts.append(
                f'<path d="{ends}" stroke="{colour}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
            )
            places.append(f"{x:.1f} {y:.1f}")
        parts.append(f'<path d="M{"L".join(places)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    for point in curve:
        reviewed = _number(point, "reviewed")
        x = left + 10 + (width - 20) * reviewed / most
        parts.append(f'<text x="{x:.1f}" y="{top + height + 18}" text-anchor="middle">{reviewed:g}</text>')
    middle = left + width / 2
    parts.append(f'<text x="{middle}" y="{top + height + 38}" text-anchor="middle">reviewed pictures</text>')
    return "\n".join([*parts, "</svg>", ""])


def _number(point: dict[str, object], name: str) -> float:
    value = point[name]
    assert isinstance(value, int | float)
    return value


if __name__ == "__main__":
    main()

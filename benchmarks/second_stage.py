"""What a second stage adds to teaching on KolektorSDD, with ten confirmed defects.

    python -m benchmarks.second_stage --root ../shared/data/kolektorsdd [--draws 3]

The draws are those of `benchmarks.teaching`, which says what is counted: ten good pictures for the first model, and a
hundred others that are reviewed by the truth, ten of them with defects. From all of them, candidates are taught without
and with a second stage, at the rate of false alarms of the training, and with a second stage at lower rates. Held out
are the good pictures for testing and the other defects, 40 a draw. The settings of the second stage were chosen on the
reviewed pictures of these draws alone, and on generated surfaces.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np

from app.data import LabelledPicture, MVTec
from app.pipeline import TiledModel
from app.scoring import auroc, share_interval
from app.teaching.learning import learn
from app.training.feature_store import FeatureStore
from benchmarks.command_line import with_root
from benchmarks.hardware import write
from benchmarks.teaching import (
    FIRST_MODELS,
    defective,
    drawn,
    harmless,
    is_found,
    raw_scores,
    threshold,
)

SETTINGS: dict[str, tuple[bool, float | None]] = {
    "with a second stage": (True, None),
    "taught": (False, None),
    "with a second stage, 2 %": (True, 0.02),
    "with a second stage, 1 %": (True, 0.01),
}
"""Whether there may be a second stage, and the requested rate of false alarms; None: that of the training, 5 %."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a version does, in counts; see `benchmarks.teaching.Served`.

    alarms, recall: of the held-out pictures
    lost: reviewed defects that the first model finds and this version does not, of `confirmed`
    held_lost: the same of held-out defects
    """

    draw: int
    setting: str
    alarms: int
    good: int
    recall: int
    defects: int
    held_lost: int
    auroc: float
    confirmed: int
    lost: int
    alarms_at_first_recall: int
    second_stage: bool
    seconds: float


def main() -> None:
    parser = with_root(__doc__)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", choices=FIRST_MODELS, default="subspace")
    given = parser.parse_args()
    data = MVTec(str(given.root), "surface")
    counted = [each for draw in range(given.draws) for each in _draw(data, draw, given.first)]
    table = [_summed(counted, name) for name in ("first", *SETTINGS)]
    name = "second-stage" if given.first == "subspace" else f"second-stage-{given.first}"
    path = write(name, {"draws": given.draws, "table": table, "counted": [asdict(each) for each in counted]})
    path.with_suffix(".svg").write_text(plot(table))


def _draw(data: MVTec, draw: int, first_name: str) -> Iterator[Counted]:
    with drawn(data, draw, first_name) as found:
        reviewed = [*(harmless(path) for path in found.good), *(defective(each) for each in found.coming)]
        first = _Seen(found.model, found.store, found.held_out, found.coming)
        yield first.counted(first, draw, "first", False, 0.0)
        for name, (second_stage, rate) in SETTINGS.items():
            taught = learn(found.entry, reviewed, false_positive_rate=rate, second_stage=second_stage)
            print(*taught.notes, sep="\n", flush=True)
            seen = _Seen(taught.model, found.store, found.held_out, found.coming)
            yield seen.counted(first, draw, name, taught.taught.second_stage is not None, taught.seconds)


class _Seen:
    """The held-out and the reviewed pictures as a version sees them."""

    def __init__(
        self,
        model: TiledModel,
        store: FeatureStore,
        held_out: Sequence[LabelledPicture],
        coming: Sequence[LabelledPicture],
    ) -> None:
        self.anomalous = np.array([each.anomalous for each in held_out])
        self.scores = raw_scores(model, store, len(held_out))
        self.verdicts = self.scores > threshold(model)
        self.known = np.array([is_found(model, each.path) for each in coming])

    def counted(self, first: "_Seen", draw: int, setting: str, second_stage: bool, seconds: float) -> Counted:
        defects = self.anomalous
        as_many = max(int(first.verdicts[defects].sum()), 1)
        lowest = np.sort(self.scores[defects])[::-1][as_many - 1]
        counted = Counted(
            draw,
            setting,
            int(self.verdicts[~defects].sum()),
            int((~defects).sum()),
            int(self.verdicts[defects].sum()),
            int(defects.sum()),
            int((first.verdicts & ~self.verdicts)[defects].sum()),
            auroc(self.scores.tolist(), defects.tolist()),
            int(first.known.sum()),
            int((first.known & ~self.known).sum()),
            int((self.scores[~defects] >= lowest).sum()),
            second_stage,
            seconds,
        )
        print(counted, flush=True)
        return counted


def _summed(counted: Sequence[Counted], setting: str) -> dict[str, Any]:
    """The shares of all draws with this setting, with intervals."""
    own = [each for each in counted if each.setting == setting]
    pairs = {
        "false_alarms": (sum(each.alarms for each in own), sum(each.good for each in own)),
        "recall": (sum(each.recall for each in own), sum(each.defects for each in own)),
        "lost": (sum(each.lost for each in own), sum(each.confirmed for each in own)),
        "held_out_lost": (sum(each.held_lost for each in own), sum(each.defects for each in own)),
        "false_alarms_at_first_recall": (
            sum(each.alarms_at_first_recall for each in own),
            sum(each.good for each in own),
        ),
    }
    shares = {
        name: {"count": count, "of": total, "share": count / total, "interval": share_interval(count, total)}
        for name, (count, total) in pairs.items()
    }
    return {"setting": setting, "auroc": round(fmean(each.auroc for each in own), 4), **shares}


def plot(table: Sequence[dict[str, Any]]) -> str:
    """The shares of held-out pictures for each setting, with intervals, as SVG."""
    left, top, width, step = 190, 50, 480, 34
    height = top + step * len(table)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 30} {height + 30}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
        '<text x="10" y="20" font-size="12">KolektorSDD, ten confirmed defects: held-out '
        '<tspan fill="#d55e00">false alarms</tspan> and <tspan fill="#0072b2">recall</tspan>, with 95 % '
        "intervals</text>",
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = left + width * share
        parts.append(f'<path d="M{x} {top - 10}V{height}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{height + 18}" text-anchor="middle">{share:g}</text>')
    for number, row in enumerate(table):
        y = top + step * number + step / 2
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{row["setting"]}</text>')
        for name, colour, shift in (("false_alarms", "#d55e00", -4), ("recall", "#0072b2", 4)):
            low, high = (left + width * end for end in row[name]["interval"])
            x = left + width * row[name]["share"]
            parts.append(
                f'<path d="M{low:.1f} {y + shift}H{high:.1f}" stroke="{colour}"/>'
                f'<circle cx="{x:.1f}" cy="{y + shift}" r="3" fill="{colour}"/>'
            )
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main()

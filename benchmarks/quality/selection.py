"""What `--model auto` chooses on a data set, and how good its choice is on defects that it has not seen.

    .venv/bin/python -m benchmarks.quality.selection --root DIR --work DIR --data KolektorSDD --draws 3

For each draw of training pictures: the candidates' AUROC by synthetic defects in these pictures, their image AUROC on
the test pictures, the rank correlation of both, and the candidate that was chosen. `python -m benchmarks.quality` with
the same `--work` must have measured the candidates on the test pictures before. One file keeps the results of all data
sets.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from app.data import Folder, MVTec
from app.detectors import Detector
from app.progress import silent
from app.training import DEFAULT_TILING, Recipe
from app.training.selection import CANDIDATES, select
from benchmarks.command_line import with_root
from benchmarks.hardware import RESULTS, write
from benchmarks.quality.__main__ import DATA, folder_of
from benchmarks.quality.draws import drawn

NAME = "selection"
BACKBONES = {"shipped": "", "Lite0": " Lite0"}  # in the names of candidates


def main() -> None:
    parser = with_root(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="the folder of benchmarks.quality")
    parser.add_argument("--data", choices=DATA, default="KolektorSDD")
    parser.add_argument("--pictures", type=int, default=40, help="training pictures of a draw")
    parser.add_argument("--draws", type=int, default=3)
    given = parser.parse_args()
    root = folder_of(given.data, given.root, given.work)
    normal = MVTec(str(root), DATA[given.data]).train_pictures()
    real = _real(given.work / f"runs-{given.data}-{given.pictures}.jsonl")
    draws = []
    for draw in range(given.draws):
        chosen = [normal[number] for number in drawn(len(normal), given.pictures, draw)]
        draws.append(_measured(given.work / "draw", chosen, draw, real[draw]))
        print(json.dumps(draws[-1]), flush=True)
    latest = max(RESULTS.glob(f"*-{NAME}.json"), default=None)
    known: dict[str, Any] = json.loads(latest.read_text()).get("data", {}) if latest else {}
    path = write(NAME, {"data": known | {given.data: {"pictures": given.pictures, "draws": draws}}})
    path.with_suffix(".md").write_text(_table(json.loads(path.read_text())["data"]))


def _measured(folder: Path, chosen: list[Path], draw: int, real: Mapping[str, float]) -> dict[str, object]:
    """The choice from these pictures, and its image AUROC beside those of the other candidates."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for path in chosen:
        (folder / path.name).symlink_to(path.resolve())
    data = Folder(str(folder), num_workers=0)

    def recipe(detector: Detector) -> Recipe:
        return Recipe(detector, data, DEFAULT_TILING, seed=draw)

    started = perf_counter()
    candidates = [candidate for candidate in CANDIDATES if candidate.name in real]
    found = select(candidates, recipe, torch.device("cpu"), draw, silent)
    synthetic = {record.name: round(record.auroc, 4) for record in found.tried}
    own = {name: real[name] for name in synthetic}
    best = max(own, key=lambda name: own[name])
    return {
        "draw": draw,
        "seconds": round(perf_counter() - started, 1),
        "chosen": found.candidate.name,
        "chosen_auroc": own[found.candidate.name],
        "best": best,
        "best_auroc": own[best],
        "rank_correlation": round(float(spearmanr(list(synthetic.values()), list(own.values())).statistic), 3),
        "synthetic": dict(sorted(synthetic.items(), key=lambda item: -item[1])),
        "errors": {record.name: round(record.error, 4) for record in found.tried},
        "real": dict(sorted(own.items(), key=lambda item: -item[1])),
    }


def _real(file: Path) -> dict[int, dict[str, float]]:
    """The image AUROC of each candidate, by draw."""
    found: dict[int, dict[str, float]] = {}
    for line in file.read_text().splitlines():
        run = json.loads(line)
        detector, backbone = run["name"].split(", ")
        if backbone in BACKBONES:
            name = f"{detector}{BACKBONES[backbone]} {run['rule']}"
            found.setdefault(run["draw"], {})[name] = run["image_auroc"]
    return found


def _table(data: Mapping[str, Any]) -> str:
    lines = [
        "# What `--model auto` chooses",
        "",
        "Image AUROC on the test pictures, of the chosen candidate and of the best one; the rank correlation of the",
        "candidates' order by synthetic defects and by the test pictures. The mean of a candidate is over the draws.",
        "",
        "| data | draw | chosen | image AUROC | best in this draw | image AUROC | best mean | rank correlation |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, content in data.items():
        draws = content["draws"]
        means = {each: float(np.mean([draw["real"][each] for draw in draws])) for each in draws[0]["real"]}
        best = max(means, key=lambda each: means[each])
        lines += [
            f"| {name} | {draw['draw']} | {draw['chosen']} | {draw['chosen_auroc']:.3f} | {draw['best']} | "
            f"{draw['best_auroc']:.3f} | | {draw['rank_correlation']:.2f} |"
            for draw in draws
        ]
        chosen = float(np.mean([draw["chosen_auroc"] for draw in draws]))
        lines.append(f"| {name} | mean | | {chosen:.3f} | | | {best} {means[best]:.3f} | |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Partial answers: how many planted defects are found in which share of the time, and how punctual answers are.

    python -m benchmarks.partial [--model models/demo/1] [--pictures 12] [--size 2048]

Draws pictures of the demo's surface with one or two of its defects and four synthetic ones each. A defect counts if the
prediction of the whole picture has it, and is found once a value of the map over the threshold was looked at in it.

`orders`: blocks of the size that the server would choose are computed in several orders. For each share of the tiles of
the whole picture: the share of the defects that were found in so many tiles, those of the coarse pass included.
`suspicion` is the server's order; `pixels` goes by the local mean and deviation of the pixels' colours, without the
model; `ideal` by the map itself; `random` is the mean of ten orders.

`limits`: a server on this machine answers with a time limit that is a share of the median time of the whole picture:
the share that was looked at, the defects that were found, and by how many seconds answers came before the limit (less
than 0: after it). `complete` compares the times of answers that are not limited, with and without `partial`, in turn.
"""

import argparse
import io
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

import httpx2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.pipeline import BlockGrid, Roi, TiledModel, edge_tiles, predict
from app.pipeline.thumbnail import reduced
from app.service.partial import REDUCTION, suspicion
from app.settings import Settings
from app.synthesis import KINDS, Defect, add_defect, scattered
from benchmarks.hardware import write
from scripts.demo.defects import DEFECTS
from scripts.demo.surface import defective_surface
from tests.running import running

SHARES = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)
SEED = 77
SYNTHETIC, DIAMETERS, APART = 4, (16, 49), 64
CONTRASTS = {"blurred": 2.0, "warped": 1.0}  # of other kinds: 2, see app/synthesis/defects.py
NEAR = 8  # pixels around a defect that belong to it: the map is blurred
CELL = 8  # pixels along the edge of a square whose colours are described
TURNS = 5

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Planted:
    """A picture [3,H,W] uint8, its map [H,W], and the pixels over the threshold of each defect in it."""

    pixels: Tensor
    found: NDArray[np.float32]
    defects: list[Mask]
    planted: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/demo/1"), help="the folder of a model's version")
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--size", type=int, default=2048, help="the edge of the pictures")
    parser.add_argument("--name", default="partial", help="of the file of results")
    given = parser.parse_args()
    folder: Path = given.model
    artifact = load_artifact(ModelRepository(folder.parent.parent).find(folder.parent.name, int(folder.name)))
    pictures = [plant(artifact, number, given.size) for number in range(given.pictures)]
    result = {
        "model": artifact.name,
        "size": given.size,
        "pictures": len(pictures),
        "defects": {
            "planted": sum(each.planted for each in pictures),
            "in_the_whole_map": sum(len(each.defects) for each in pictures),
        },
        "orders": orders(artifact.model, pictures, given.size),
        **served(folder, artifact, pictures),
    }
    write(given.name, result)


def plant(artifact: Artifact, number: int, size: int) -> Planted:
    """The picture with this number, its map, and its defects."""
    kinds, rng = tuple(DEFECTS), np.random.default_rng([SEED, number])
    drawn, mask = defective_surface(
        rng, (size, size), [kinds[(number + each) % len(kinds)] for each in range(1 + number % 2)]
    )
    pixels, generator = torch.from_numpy(drawn).permute(2, 0, 1).contiguous(), torch.Generator().manual_seed(number)
    diameters = [int(torch.randint(*DIAMETERS, (), generator=generator)) for _ in range(SYNTHETIC)]
    for index, (diameter, place) in enumerate(
        zip(diameters, scattered(size, size, diameters, APART, generator), strict=True)
    ):
        if place is not None:
            kind = tuple(KINDS)[(SYNTHETIC * number + index) % len(KINDS)]
            defect = Defect(kind, diameter, CONTRASTS.get(kind, 2.0))
            own = add_defect(pixels, defect, place, generator).numpy()
            mask[place[0] : place[0] + diameter, place[1] : place[1] + diameter] |= own
    found = predict(artifact.model, pixels).anomaly_map.numpy()
    labels, count = ndimage.label(ndimage.binary_dilation(mask, iterations=NEAR))
    over = found > artifact.calibration.raw_value(0.5)
    defects = [(labels == label) & over for label in range(1, count + 1)]
    return Planted(pixels, found, [each for each in defects if each.any()], count)


def orders(model: TiledModel, pictures: Sequence[Planted], size: int) -> list[dict[str, object]]:
    """For each share of the tiles of the whole picture, and each order: the share of the defects that were found."""
    plan, coarse = model.plan(size, size), model.plan(size // REDUCTION, size // REDUCTION).count
    results: list[dict[str, object]] = []
    for share in SHARES:
        edge = edge_tiles(share * plan.count)
        grid = BlockGrid(model, plan, edges=(edge, edge))
        found: dict[str, list[bool]] = {}
        for number, picture in enumerate(pictures):
            for name, order, extra in _orders(model, grid, picture, number, coarse):
                found.setdefault(name, []).extend(
                    tiles <= share * plan.count for tiles in _tiles_until(grid, order, extra, picture)
                )
        results.append(
            {
                "share": share,
                "blocks": len(grid.blocks),
                "tiles_of_all_blocks": round((grid.tiles + coarse) / plan.count, 3),
                "found": {name: round(mean(values), 3) for name, values in found.items()},
            }
        )
    return results


def _orders(
    model: TiledModel, grid: BlockGrid, picture: Planted, number: int, coarse: int
) -> Iterator[tuple[str, NDArray[np.int64], int]]:
    """Orders of the blocks by name, and the tiles that each takes before the first block."""
    height, width = picture.found.shape
    whole, count = Roi.whole((height, width)), len(grid.blocks)
    small = reduced(picture.pixels, (height // REDUCTION, width // REDUCTION)).round().to(torch.uint8)

    def by(values: Tensor) -> NDArray[np.int64]:
        return np.argsort([-suspicion(values, block.shown, whole) for block in grid.blocks], kind="stable")

    yield "suspicion", by(predict(model, small).anomaly_map), coarse
    yield "pixels", by(colour_deviations(picture.pixels)), 0
    yield "raster", np.arange(count), 0
    rng = np.random.default_rng(number)
    for _ in range(10):
        yield "random", rng.permutation(count), 0
    yield "ideal", by(torch.from_numpy(picture.found)), 0


def colour_deviations(pixels: Tensor) -> Tensor:
    """How unusual the mean and the deviation of the colours of each square of CELL pixels are in the picture."""
    channels, height, width = pixels.shape
    squares = pixels.float().view(channels, height // CELL, CELL, width // CELL, CELL)
    values = torch.cat([squares.mean((2, 4)), squares.std((2, 4))]).numpy()
    local = values - ndimage.gaussian_filter(values, (0, 16, 16))
    flat = local.reshape(len(local), -1).T
    inverse = np.linalg.inv(np.cov(flat.T) + 1e-3 * np.eye(len(local)))
    return torch.from_numpy(np.sqrt(np.einsum("ij,jk,ik->i", flat, inverse, flat)).reshape(local.shape[1:]))


def _tiles_until(grid: BlockGrid, order: NDArray[np.int64], extra: int, picture: Planted) -> Iterator[int]:
    """For each defect, the tiles that were computed when it was found."""
    computed = extra + np.cumsum([grid.blocks[number].plan.count for number in order])
    last = np.zeros(picture.found.shape, np.int64)  # for each pixel, the place in the order of its last block
    for place, number in enumerate(order):
        shown = grid.blocks[number].shown
        last[shown.top : shown.rows.stop, shown.left : shown.columns.stop] = place
    for defect in picture.defects:
        yield int(computed[last[defect].min()])


def served(folder: Path, artifact: Artifact, pictures: Sequence[Planted]) -> dict[str, object]:
    """The answers of a server, by their time limit."""
    files = [_png(picture) for picture in pictures]
    with (
        running(Settings(models_dir=folder.parent.parent, device="cpu")) as live,
        httpx2.Client(timeout=None) as client,
    ):
        url = f"{live.url}/v1/models/{artifact.name}/predict"

        def ask(file: bytes, limit_s: float | None, query: str) -> tuple[dict[str, Any], float]:
            headers = {} if limit_s is None else {"X-Request-Timeout": repr(limit_s)}
            started = perf_counter()
            response = client.post(url + query, files={"image": file}, headers=headers)
            return response.json() | {"status": response.status_code}, perf_counter() - started

        for query in ("?include=mask", "?partial=true&include=mask"):  # the first answers take longer
            ask(files[0], None, query)
        times: dict[str, list[float]] = {"whole": [], "partial": []}
        for number in range(TURNS):
            for name, query in (("whole", "?include=mask"), ("partial", "?partial=true&include=mask")):
                times[name].append(ask(files[number % len(files)], None, query)[1])
        whole_s = median(times["whole"])
        return {
            "complete": {name: round(median(each), 3) for name, each in times.items()},
            "limits": [_limited(share, share * whole_s, files, pictures, ask) for share in SHARES],
        }


def _limited(
    share: float,
    limit_s: float,
    files: Sequence[bytes],
    pictures: Sequence[Planted],
    ask: Callable[[bytes, float | None, str], tuple[dict[str, Any], float]],
) -> dict[str, object]:
    looked, early, found, labels = [], [], [], []
    for file, picture in zip(files, pictures, strict=True):
        answer, seconds = ask(file, limit_s, "?partial=true&include=mask")
        early.append(limit_s - seconds)
        if answer["status"] != 200:
            labels.append(str(answer["status"]))
            found += [False] * len(picture.defects)
            continue
        looked.append(answer["partial"]["share"])
        labels.append(answer["label"])
        mask = np.array(Image.open(io.BytesIO(b64decode(answer["mask"])))) == 255
        found += [bool(mask[defect].any()) for defect in picture.defects]
    return {
        "share": share,
        "limit_s": round(limit_s, 3),
        "looked_at": round(mean(looked), 3) if looked else 0.0,
        "found": round(mean(found), 3),
        "labels": {label: labels.count(label) for label in sorted(set(labels))},
        "before_limit_s": {"least": round(min(early), 3), "median": round(median(early), 3)},
    }


def _png(picture: Planted) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture.pixels.permute(1, 2, 0).numpy()).save(file, "PNG", compress_level=1)
    return file.getvalue()


if __name__ == "__main__":
    main()

"""Why real defects are found less often than the scratches of a certificate: one property changed at a time.

    python -m benchmarks.certificate_cause --root ../shared/data/kolektorsdd --models models --name kolektor

Each masked defect of KolektorSDD is drawn into a normal picture, at the same place. First as it is: the change of its
pixels, on the other picture's surface. If the model finds it as often there, neither the pictures nor the rules by
which marks count as found are the reason. Then as the certificate draws marks: one contrast in the whole mask (its
mean), with an edge of one pixel. Between the two, properties are changed one by one: the contrast varies along the
defect, and edges are blurred. The drawn defects are also measured as real ones are, which shows how well that works.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.data import decoded
from app.pipeline import Roi, predict
from app.runtime import RunOptions
from app.scoring import share_interval
from benchmarks.command_line import with_root
from benchmarks.hardware import write
from benchmarks.kolektorsdd.setting import testing_pictures
from benchmarks.real_defects import (
    GAP,
    SURFACE_SIGMA,
    Booleans,
    Floats,
    Shape,
    real_defects,
    shape_of,
    surface,
)

MARGIN = 12  # pixels around a mask in which pixels may change
AROUND = 40  # pixels around these that are computed
SIGMAS = (0.5, 1.0, 2.0, 4.0)  # pixels
AS_IT_IS = "as it is"
MEAN = "mean contrast, sharp"


def main() -> None:
    parser = with_root(__doc__)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--name", default="kolektor")
    given = parser.parse_args()
    artifact = load_artifact(ModelRepository(given.models).find(given.name), "cpu", RunOptions(batch_tiles=0))
    testing = testing_pictures(given.root)
    normal = list(decoded([each.path for each in testing if not each.anomalous][::4], 0))
    maps = [predict(artifact.model, image).anomaly_map for image in normal]
    limit = max(artifact.calibration.pixel_threshold, artifact.calibration.image_threshold)
    peaks: dict[str, list[float]] = {}
    shapes: dict[str, list[Shape]] = {}
    for number, defect in enumerate(real_defects([each for each in testing if each.anomalous])):
        own = predict(artifact.model, defect.image)
        peaks.setdefault("real", []).append(float(own.anomaly_map[torch.from_numpy(defect.mask)].max()))
        _add(shapes, "real", defect.shape)
        top, left, bottom, right = _box(defect.mask)
        mask, change = defect.mask[top:bottom, left:right], defect.change[top:bottom, left:right]
        found = _free(normal, maps, number, mask, (top, left), limit)
        if found is None:
            continue
        image, place = found
        for name, drawn in _variants(image, place, mask, change).items():
            peaks.setdefault(name, []).append(_peak(artifact, image, place, drawn, mask))
            whole = np.zeros(image.shape[1:], bool)
            whole[place[0] : place[0] + mask.shape[0], place[1] : place[1] + mask.shape[1]] = mask
            marked = _with(image, place, drawn)
            grey = marked.float().mean(0).numpy().astype(np.float64)
            _add(shapes, name, shape_of(grey / np.maximum(surface(grey, whole), 1.0) - 1, whole))
    result = {
        "model": {"detector": artifact.manifest.detector.name, "pictures": artifact.manifest.provenance.pictures},
        "threshold": limit,
        "variants": {name: _summary(found, shapes[name], limit) for name, found in peaks.items()},
        "shapes_of_real_defects": [asdict(each) for each in shapes["real"]],
    }
    for name, found in result["variants"].items():  # type: ignore[attr-defined]  # a dict among other values
        print(f"{name:32} {found}")
    write("certificate-cause", result)


def _variants(image: Tensor, place: tuple[int, int], mask: Booleans, change: Floats) -> Mapping[str, Floats]:
    """The pixels [C,h,w] of the place with the defect, by what was changed."""
    height, width = mask.shape
    before = image[:, place[0] : place[0] + height, place[1] : place[1] + width].numpy().astype(np.float64)
    level = ndimage.gaussian_filter(image.float().mean(0).numpy(), SURFACE_SIGMA)
    level = level[place[0] : place[0] + height, place[1] : place[1] + width].astype(np.float64)
    share = ndimage.gaussian_filter(ndimage.binary_dilation(mask, iterations=GAP).astype(np.float64), 1.0)
    inside, mean = mask.astype(np.float64), float(change[mask].mean())
    reach = float(ndimage.distance_transform_edt(mask).max())
    local = ndimage.gaussian_filter(change * inside, reach) / np.maximum(ndimage.gaussian_filter(inside, reach), 1e-6)
    found = {
        AS_IT_IS: share * level * (1 + change) + (1 - share) * before,
        "smoothed by 1 px, own texture": before * (1 + ndimage.gaussian_filter(change * share, 1.0)),
        "contrast along it, sharp": before * (1 + local * inside),
        MEAN: before * (1 + mean * inside),
    }
    for sigma in SIGMAS:
        found[f"mean contrast, blurred by {sigma:g} px"] = before * (1 + mean * ndimage.gaussian_filter(inside, sigma))
    return found


def _free(
    normal: Sequence[Tensor], maps: Sequence[Tensor], first: int, mask: Booleans, place: tuple[int, int], limit: float
) -> tuple[Tensor, tuple[int, int]] | None:
    """A normal picture without a region at the place, and the place moved into it."""
    height, width = mask.shape
    for number in range(first, first + len(normal)):
        image, found = normal[number % len(normal)], maps[number % len(normal)]
        if height > image.shape[1] or width > image.shape[2]:
            continue
        top, left = min(place[0], image.shape[1] - height), min(place[1], image.shape[2] - width)
        if float(found[top : top + height, left : left + width].max()) <= limit:
            return image, (top, left)
    return None


def _peak(artifact: Artifact, image: Tensor, place: tuple[int, int], drawn: Floats, mask: Booleans) -> float:
    """The highest value of the map in the mask."""
    height, width = image.shape[1:]
    top, left = (max(first - AROUND, 0) for first in place)
    bottom, right = (
        min(first + edge + AROUND, end) for first, edge, end in zip(place, mask.shape, (height, width), strict=True)
    )
    roi = Roi(top, left, bottom - top, right - left)
    found = predict(artifact.model, _with(image, place, drawn), 0, roi).anomaly_map
    own = found[place[0] - top :, place[1] - left :][: mask.shape[0], : mask.shape[1]]
    return float(own[torch.from_numpy(mask)].max())


def _with(image: Tensor, place: tuple[int, int], drawn: Floats) -> Tensor:
    marked = image.clone()
    pixels = torch.from_numpy(np.clip(np.round(drawn), 0, 255)).to(torch.uint8)
    marked[:, place[0] : place[0] + drawn.shape[1], place[1] : place[1] + drawn.shape[2]] = pixels
    return marked


def _box(mask: Booleans) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the mask with a margin."""
    rows, columns = np.nonzero(mask)
    return (
        max(int(rows.min()) - MARGIN, 0),
        max(int(columns.min()) - MARGIN, 0),
        min(int(rows.max()) + MARGIN + 1, mask.shape[0]),
        min(int(columns.max()) + MARGIN + 1, mask.shape[1]),
    )


def _add(shapes: dict[str, list[Shape]], name: str, shape: Shape | None) -> None:
    own = shapes.setdefault(name, [])
    if shape is not None:
        own.append(shape)


def _summary(peaks: Sequence[float], shapes: Sequence[Shape], limit: float) -> dict[str, object]:
    hits = sum(peak > limit for peak in peaks)
    return {
        "defects": len(peaks),
        "found": hits,
        "interval": [round(end, 3) for end in share_interval(hits, len(peaks))],
        "median_peak": round(median(peaks), 3),
        "median_sigma": round(median(each.sigma for each in shapes), 2),
        "median_contrast": round(median(each.contrast for each in shapes), 3),
        "median_width": round(median(each.width for each in shapes), 1),
    }


if __name__ == "__main__":
    main()

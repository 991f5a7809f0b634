"""Pictures of random sizes, formats and options have the same results in bands of rows as in one piece.

TESSERA_BAND_CASES is the number of pictures, of which the detectors, tilings and formats take turns.
"""

import math
import os
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.decoding import decode
from app.detectors import DETECTORS
from app.pipeline import Criteria, Prediction, Question, Roi, interpret, predict, with_zones
from app.progress import silent
from app.rendering import marked, overlay
from app.scoring import calibration_at
from app.service.annotations import MOST_POINTS, annotations
from app.service.large import Large, Pyramids, draw, predict_large
from app.service.pictures import marked_region
from app.service.predicted import Judged
from app.zones import Zone, Zones
from tests.pipeline.conftest import Build, build, learned  # noqa: F401 - fixtures
from tests.pipeline.test_roi import TILINGS

large = pytest.importorskip("app.decoding.large")
pytest.importorskip("pyvips", reason="pictures of any size need the extra `large`")
pyvips: Any = pytest.importorskip("pyvips")

CASES = int(os.environ.get("TESSERA_BAND_CASES", "12"))
LEAST, MOST = 20, 420
ROUNDING = 2e-5
"""Of the largest value of a map."""
LOSSLESS = (
    "tiled TIFF",
    "striped TIFF",
    "deep TIFF",
    "deep grey TIFF",
    "deep transparent grey TIFF",
    "PNG",
    "grey PNG",
    "transparent PNG",
    "deep transparent PNG",
    "WebP",
)
FORMATS = (*LOSSLESS, "JPEG", "turned JPEG")


@dataclass(frozen=True)
class Case:
    """A picture and how it is predicted."""

    seed: int
    detector: str
    tiling: str
    format: str

    def __str__(self) -> str:
        return f"{self.seed} {self.detector} {self.tiling} {self.format}"


def cases() -> list[Case]:
    """Each is another combination; the lists are shuffled, so that few cases have all detectors and formats."""
    draw_of = random.Random(20)  # noqa: S311 - no secret
    detectors, tilings, formats = sorted(DETECTORS), list(TILINGS), list(FORMATS)
    for each in (detectors, tilings, formats):
        draw_of.shuffle(each)
    found = []
    for number in range(CASES):
        detector = detectors[number % len(detectors)]
        tiling = tilings[(number + number // len(tilings)) % len(tilings)]
        if detector == "reverse_distillation" and "48" in str(TILINGS[tiling].stride):
            tiling = "overlapping"  # its strides are multiples of 32
        found.append(Case(number, detector, tiling, formats[(number + number // len(formats)) % len(formats)]))
    return found


def pixels(draw_of: random.Random, channels: int) -> NDArray[np.uint8]:
    """A faint surface with a few stains, [H,W,C]."""
    noise = np.random.default_rng(draw_of.randrange(2**32))
    height, width = draw_of.randint(LEAST, MOST), draw_of.randint(LEAST, MOST)
    found = noise.normal(128, 5, (height, width, channels))
    for _ in range(3):
        top, left = draw_of.randrange(height), draw_of.randrange(width)
        found[top : top + draw_of.randint(3, 60), left : left + draw_of.randint(3, 60)] += draw_of.choice((-90, 70))
    return found.clip(0, 255).astype(np.uint8)


def write(path: Path, kind: str, draw_of: random.Random) -> None:
    """Writes a picture of random size in this format."""
    grey, transparent = "grey" in kind, "transparent" in kind
    values = pixels(draw_of, (1 if grey else 3) + transparent)
    if kind.startswith("deep"):
        low = np.random.default_rng(draw_of.randrange(2**32)).integers(0, 256, values.shape, np.uint16)
        deep = pyvips.Image.new_from_array(values.astype(np.uint16) * 256 + low)
        deep = deep.copy(interpretation="grey16" if grey else "rgb16")
        (deep.pngsave if kind.endswith("PNG") else deep.tiffsave)(str(path))
    elif "TIFF" in kind:
        options = {"tile": True, "tile_width": 64, "tile_height": 32} if kind.startswith("tiled") else {}
        pyvips.Image.new_from_array(values).tiffsave(str(path), compression="lzw", bigtiff=True, **options)
    else:
        picture, exif = Image.fromarray(values[:, :, 0] if grey else values), Image.Exif()
        if kind == "turned JPEG":
            exif[0x0112] = draw_of.randint(2, 8)
        picture.save(path, kind.split()[-1], lossless=True, quality=95, exif=exif)


def region(draw_of: random.Random, height: int, width: int) -> Roi | None:
    """The whole picture, or a random part of it."""
    if draw_of.random() < 0.5:
        return None
    top, left = draw_of.randrange(height), draw_of.randrange(width)
    return Roi(top, left, draw_of.randint(1, height - top), draw_of.randint(1, width - left))


def areas(draw_of: random.Random) -> Zones | None:
    """None, or up to three polygons that may overlap, for pictures of another size."""
    found = []
    for number in range(draw_of.choice((0, 1, 3))):
        middle, reach = draw_of.uniform(0.2, 0.8), draw_of.uniform(0.05, 0.2)
        angles = sorted(draw_of.uniform(0, math.tau) for _ in range(draw_of.randint(5, 9)))
        ring = tuple((50 * (middle + reach * math.cos(each)), 70 * (0.5 + reach * math.sin(each))) for each in angles)
        multiples = draw_of.choice(((None, None), (2.0, 2.0), (0.6, 1.5)))
        found.append(Zone(f"zone {number}", ((ring,),), *multiples))
    return Zones((70, 50), tuple(found)) if found else None


def separating(anomaly_map: Tensor) -> float:
    """A threshold between two high values that are further apart than rounding, so that both sides are certain."""
    values = anomaly_map.flatten().double().sort().values
    high = values[int(0.9 * len(values)) : -1 - len(values) // 100]
    if len(high) < 2:
        return float(values[-1]) * 0.9
    gap = int(high.diff().argmax())
    return float(high[gap : gap + 2].mean())


@pytest.fixture(scope="module")
def demo() -> Artifact:
    return load_artifact(ModelRepository(Path("models")).find("demo"))


@pytest.mark.parametrize("case", cases(), ids=str)
def test_bands_equal_the_whole(
    case: Case,
    build: Build,  # noqa: F811 - the fixture
    demo: Artifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.pipeline.scan.BAND_TILES", 1)
    monkeypatch.setattr("app.service.large.READ_VALUES", 3000)
    draw_of, path = random.Random(case.seed), tmp_path / "picture"  # noqa: S311 - no secret
    write(path, case.format, draw_of)
    source = large.LargePicture(path)
    image, tolerance = decode(path.read_bytes(), max_pixels=MOST**2), 0 if case.format in LOSSLESS else 3
    again = large.LargePicture(path).read(source.size[0])
    torch.testing.assert_close(again.int(), image.int(), rtol=0, atol=tolerance)

    fixed = draw_of.choice((None, None, (160, 208)))
    model = build(case.detector, TILINGS[case.tiling], source.size, fixed).with_zones(areas(draw_of))
    roi = region(draw_of, *source.size)
    outcome = predict(model, again, 4, roi)
    threshold = separating(outcome.anomaly_map) or 1.0  # 0: the region of interest lies in an ignored area
    least = draw_of.choice((1, 1, 20))
    calibration = calibration_at(outcome.raw_score * 0.9, threshold)
    model = model.with_calibration(calibration)
    artifact, question = replace(demo, model=model), Question(Criteria(min_region_area=least), roi)
    whole = with_zones(interpret(outcome, artifact.calibration, question), model.zones, source.size)

    found = predict_large(artifact, source, question, tmp_path, silent)
    values = np.concatenate(list(found.spool.bands()))
    rounding = ROUNDING * float(outcome.anomaly_map.max())
    np.testing.assert_allclose(values, outcome.anomaly_map.numpy(), rtol=0, atol=rounding)
    assert found.judged.judgement.raw_score == pytest.approx(whole.raw_score, rel=1e-4)
    assert found.judged.judgement.label is whole.label
    assert_same_regions(found, whole)
    assert_same_pyramids(found, large.LargePicture(path), whole, again, tmp_path, rounding / threshold)


def assert_same_regions(found: Large, whole: Prediction) -> None:
    """Boxes, areas, and outlines, which are made from the map in bands."""
    boxes = [
        sorted((each.top, each.left, each.height, each.width, each.area) for each in regions)
        for regions in (found.judged.judgement.regions, whole.regions)
    ]
    nothing_counts = not whole.anomaly_map.any()  # the region of interest lies in an ignored area
    assert boxes[0] == boxes[1] and (boxes[1] or whole.criteria.min_region_area > 1 or nothing_counts)
    zones = {each.peak: each.zone for each in whole.regions}
    assert all(zones.get(each.peak, each.zone) == each.zone for each in found.judged.judgement.regions)
    in_bands = annotations(found.judged, found.spool.bands(), MOST_POINTS)
    at_once = annotations(found.judged, [whole.anomaly_map.numpy()], MOST_POINTS)
    for one, other in zip(in_bands, at_once, strict=True):
        assert str(one.outline) == str(other.outline) and one.region.zone == other.region.zone


def assert_same_pyramids(
    found: Large, source: Any, whole: Prediction, image: Tensor, folder: Path, rounding: float
) -> None:
    """The largest levels of the pyramids are what is drawn of the whole picture."""
    files = Pyramids(folder / "overlay.tif", folder / "mask.tif", folder / "map.tif")
    draw(found, source, files, "", silent)
    drawn, mask, heat = (np.asarray(pyvips.Image.new_from_file(str(file)).numpy()) for file in files.all)
    judged: Judged = found.judged
    shown = judged.question.roi or Roi.whole(judged.size)
    normalised = judged.artifact.calibration.normalise_map(whole.anomaly_map)
    np.testing.assert_allclose(heat, np.rint(normalised.numpy() * 65535), rtol=0, atol=1 + 65535 * rounding)
    own = image[:, shown.top : shown.top + shown.height, shown.left : shown.left + shown.width]
    boxes = [(each.top - shown.top, each.left - shown.left, each.height, each.width) for each in whole.regions]
    regions = [marked_region(each, shown) for each in whole.regions]
    expected = marked(overlay(own, normalised), torch.from_numpy(mask > 0), regions).permute(1, 2, 0).numpy()
    differing = np.abs(drawn.astype(int) - expected.astype(int))
    assert drawn.shape == expected.shape and differing.max() <= 4 and (differing > 0).mean() < 0.01
    inside = np.zeros(mask.shape, bool)
    for top, left, height, width in boxes:
        inside[top : top + height, left : left + width] = True
    over = whole.anomaly_map.numpy() > judged.artifact.calibration.raw_value(0.5)
    assert not mask[~over].any() and not mask[~inside].any()
    assert int((mask > 0).sum()) == sum(each.area for each in whole.regions)


def test_few_cases_have_all_detectors_and_formats() -> None:
    few = cases()[: len(FORMATS)]
    assert {case.detector for case in few} == set(DETECTORS) and {case.format for case in few} == set(FORMATS)

from pathlib import Path

import torch
from PIL import Image

from app.data import UnreadablePolicy
from app.pipeline import Execution, TiledModel, predict
from app.training.precision_margin import FACTOR, PICTURES, Rounded, precision_margins
from tests.conftest import draw_surface


def test_rounding_every_module_moves_features_as_far_as_bfloat16(tiny_model: TiledModel) -> None:
    detector = tiny_model.detector
    tiles = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact, rounded = detector.network(tiles), Rounded(detector)(tiles)
        with torch.autocast("cpu", torch.bfloat16):
            half = detector.network(tiles)
        again = detector.network(tiles)
    for one, other, reduced, after in zip(exact, rounded, half, again, strict=True):
        assert torch.equal(one, after)  # the hooks are removed
        simulated, real = (torch.linalg.vector_norm(each.float() - one) for each in (other, reduced))
        assert 0.4 * real < simulated < 2.5 * real


def test_margins_cover_the_change_of_the_pictures(tiny_model: TiledModel, tmp_path: Path) -> None:
    paths = []
    for number in range(3 * PICTURES):
        paths.append(tmp_path / f"{number:02}.png")
        Image.fromarray(draw_surface(number)).save(paths[-1])
    found = precision_margins(tiny_model, paths[:2], 4, UnreadablePolicy())
    image = pixel = 0.0
    rounded = tiny_model.with_execution(Execution(Rounded(tiny_model.detector), 4))
    for number in range(2):
        picture = torch.from_numpy(draw_surface(number)).permute(2, 0, 1).contiguous()
        exact, other = predict(tiny_model, picture, 4), predict(rounded, picture, 4)
        image = max(image, abs(other.raw_score - exact.raw_score))
        pixel = max(pixel, abs(float(other.anomaly_map.max() - exact.anomaly_map.max())))
    assert (found.image, found.pixel) == (FACTOR * image, FACTOR * pixel)
    paths[0].write_bytes(b"no picture")  # not among the chosen ones, which are 1, 4, ...
    assert precision_margins(tiny_model, paths, 4, UnreadablePolicy()).pixel >= 0

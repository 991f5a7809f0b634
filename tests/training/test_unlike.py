"""Pictures of a training that look least like the rest."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Generator, Tensor

from app.artifacts import ModelRepository, read_manifest
from app.data import Folder
from app.detectors import Subspace
from app.progress import silent
from app.synthesis.marks import printed
from app.tiling import Tiling
from app.training import Recipe, plan_training, train
from app.training.unlike import FEWEST_PICTURES, Patches
from tests.conftest import draw_surface

CPU = torch.device("cpu")
GRID = 12, 12
CHANNELS = 64


def normal(count: int, seed: int = 0) -> list[Tensor]:
    """Features [C,h,w] of normal pictures, whose channels depend on each other."""
    generator = Generator().manual_seed(seed)
    mixing = torch.randn(CHANNELS, 8, generator=generator)
    noise = 0.1 * torch.randn(count, CHANNELS, *GRID, generator=generator)
    return list(torch.einsum("ck,nkhw->nchw", mixing, torch.randn(count, 8, *GRID, generator=generator)) + noise)


def with_defect(picture: Tensor, direction: Tensor) -> Tensor:
    changed = picture.clone()
    changed[:, 3:5, 3:5] += direction[:, None, None]
    return changed


def unlike(pictures: Sequence[Tensor]) -> list[int]:
    patches = Patches(len(pictures), GRID)
    for picture in pictures:
        patches.add((picture[:, :7],), 0, 0)  # in bands, as the fitter gets them
        patches.add((picture[:, 7:],), 7, 0)
    assert patches.pictures == len(pictures)
    return patches.unlike()


def test_pictures_with_the_same_defect_do_not_hide_each_other() -> None:
    pictures = normal(40)
    direction = torch.randn(CHANNELS, generator=Generator().manual_seed(7))
    wrong = {3, 9, 20, 21, 33, 39}
    for number in wrong:
        pictures[number] = with_defect(pictures[number], direction)
    assert set(unlike(pictures)) == wrong


@pytest.mark.parametrize("seed", range(5))
def test_normal_pictures_are_not_named(seed: int) -> None:
    assert unlike(normal(30, seed)) == []


def test_the_most_unlike_picture_comes_first() -> None:
    pictures = normal(20)
    direction = torch.randn(CHANNELS, generator=Generator().manual_seed(7))
    for number, strength in ((4, 1.0), (11, 4.0)):
        pictures[number] = with_defect(pictures[number], strength * direction)
    assert unlike(pictures) == [11, 4]


def test_pictures_without_any_variation_are_not_named() -> None:
    assert unlike([torch.zeros(CHANNELS, *GRID)] * 20) == []


def test_few_pictures_are_not_compared() -> None:
    pictures = normal(FEWEST_PICTURES - 1)
    pictures[0] = with_defect(pictures[0], torch.full((CHANNELS,), 50.0))
    assert unlike(pictures) == []


def test_the_sample_keeps_to_its_memory_and_still_finds_defects(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = normal(20)
    pictures[5] = with_defect(pictures[5], torch.randn(CHANNELS, generator=Generator().manual_seed(7)) * 4)
    monkeypatch.setattr("app.training.unlike.MOST_BYTES", 20 * 12 * 12 * 96 // 4)
    assert unlike(pictures) == [5]


def test_a_training_names_the_defects_in_its_folder(tmp_path: Path) -> None:
    """Surfaces with printed marks of the synthesis, among good ones."""
    folder, wrong = tmp_path / "mixed", {4, 11}
    folder.mkdir()
    for number in range(16):
        picture = torch.from_numpy(draw_surface(number, 128, 128)).permute(2, 0, 1)[None] / 255
        if number in wrong:
            picture = printed(picture, Generator().manual_seed(number))
        pixels = (255 * picture[0]).clamp(0, 255).byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    named: list[str] = []
    recipe = Recipe(
        Subspace(),
        Folder(str(folder), num_workers=0),
        Tiling(tile_size=128),
        seed=0,
        assess=False,
        unlike=lambda paths: named.extend(path.name for path in paths),
    )
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(tmp_path / "models"), "m", CPU, silent)
    assert set(named) == {f"{number:02}.png" for number in wrong}
    quality = read_manifest(entry.path).quality
    assert quality is not None and list(quality.unlike) == named

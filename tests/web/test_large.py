"""A picture of 8192 x 8192 pixels in the page, and the memory that it takes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import expect

from app.settings import Settings
from tests.running import Live, running
from tests.web.conftest import WAIT_MS, Open

EDGE = 8192
PAGE_BYTES = 1e9


@pytest.fixture
def large_site(large_models_dir: Path) -> Iterator[Live]:
    """A server whose default model resizes pictures: it answers soon, with maps of the picture's size."""
    with running(Settings(models_dir=large_models_dir, device="cpu", default_model="resized")) as live:
        yield live


def renderers() -> set[psutil.Process]:
    """The browser's processes that hold pages."""
    found = psutil.Process().children(recursive=True)
    return {each for each in found if any("--type=renderer" in word for word in each.cmdline())}


@pytest.mark.slow
def test_a_huge_picture_takes_less_than_a_gigabyte(open_page: Open, large_site: Live, tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    ramp = np.linspace(96, 160, EDGE).astype(np.uint8)
    picture = np.broadcast_to(ramp[:, None], (EDGE, EDGE)).copy()
    picture[4000:4800, 5000:6000] = 255
    Image.fromarray(picture).save(path, compress_level=1)
    before = renderers()
    page = open_page(large_site.url)
    page.set_input_files("#choose", str(path))
    expect(page.locator("#announcements")).to_contain_text("huge.png: ", timeout=3 * WAIT_MS)
    page.locator("#regions .region").first.click()
    page.click("#actual")
    page.focus("#canvas")
    for key in ("ArrowLeft", "ArrowUp", "-", "ArrowRight", "ArrowDown", "+") * 5:
        page.keyboard.press(key)
    held = sum(each.memory_full_info().uss for each in renderers() - before)
    assert 0 < held < PAGE_BYTES

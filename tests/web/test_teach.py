"""A first model by the page: from ten good pictures to a verdict, by keyboard."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from app.settings import Settings
from tests.running import Live, running
from tests.trainings.conftest import good
from tests.web.conftest import Open
from tests.web.test_page import answered, choose

LIMIT_S = 180.0
"""A person takes less than three minutes from ten pictures to the first verdict; most of it is theirs."""


@pytest.fixture
def teaching_site(tmp_path: Path, models_dir: Path) -> Iterator[Live]:
    """A server that trains, and has other models."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/padim").symlink_to(models_dir / "padim")
    settings = Settings(models_dir=tmp_path / "models", device="cpu", trainings_dir=tmp_path / "trainings")
    with running(settings) as live:
        yield live


@pytest.fixture
def surfaces(tmp_path: Path) -> list[Path]:
    paths = []
    for name, picture in good(10):
        (tmp_path / name).write_bytes(picture)
        paths.append(tmp_path / name)
    return paths


def test_ten_good_pictures_become_a_first_verdict(
    open_page: Open, teaching_site: Live, surfaces: list[Path], files: Path
) -> None:
    page = open_page(teaching_site.url)
    started = time.monotonic()
    link = page.get_by_role("button", name="Teach a first model")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#teach")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.set_input_files("#teach-choose", surfaces[:9])
    expect(page.locator("#teach-chosen")).to_have_text("9 pictures, 1 more needed")
    expect(page.locator("#teach-begin")).to_be_disabled()
    page.set_input_files("#teach-choose", surfaces[9:])
    expect(page.locator("#teach-chosen")).to_have_text("10 pictures")
    page.focus("#teach-name")
    page.keyboard.type("padim")
    page.keyboard.press("Enter")
    expect(page.locator("#teach-status")).to_contain_text("there is a model 'padim' already")
    assert Axe().run(page).response["violations"] == []
    page.fill("#teach-name", "lid")
    page.keyboard.press("Enter")
    expect(page.locator("#teach-progress")).to_be_visible()
    expect(page.locator("#teach-status")).to_contain_text("The model lid is ready")
    expect(page.locator("#teach-status")).to_contain_text(
        "with 10 pictures, up to 26 % false alarms cannot be excluded"
    )
    assert Axe().run(page).response["violations"] == []
    expect(page.locator("#teach-close")).to_be_focused()
    expect(page.locator("#teach-chosen")).to_have_text("0 pictures, 10 more needed")
    page.keyboard.press("Enter")
    expect(page.locator("#teach")).to_be_hidden()
    expect(page.locator("#model")).to_have_value("lid")
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    expect(page.locator("#label")).to_contain_text("Anomalous")
    assert time.monotonic() - started < LIMIT_S


def test_a_training_is_cancelled_by_the_page(open_page: Open, teaching_site: Live, surfaces: list[Path]) -> None:
    page = open_page(teaching_site.url)
    page.get_by_role("button", name="Teach a first model").click()
    page.set_input_files("#teach-choose", surfaces)
    page.fill("#teach-name", "lid")
    page.click("#teach-begin")
    expect(page.locator("#teach-status")).to_contain_text("Starts")
    page.keyboard.press("Escape")
    expect(page.locator("#teach-status")).to_have_text("The training was cancelled.")
    page.keyboard.press("Escape")
    expect(page.locator("#teach")).to_be_hidden()


def test_a_server_that_trains_nothing_has_no_link(open_page: Open, site: Live) -> None:
    page = open_page(site.url)
    expect(page.get_by_role("button", name="Teach a first model")).to_be_hidden()

"""Zones on the page: drawn by mouse and by keyboard, saved, shown and rolled back."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from app.artifacts import ModelRepository, rollback, verify_artifact
from app.settings import Settings
from tests.running import Live, running
from tests.web.conftest import EXAMPLES, Open
from tests.web.test_page import answered, choose


@pytest.fixture
def zone_site(models_dir: Path, tmp_path: Path) -> Iterator[Live]:
    """A server whose repository a test may change."""
    shutil.copytree(models_dir / "patchcore/1", tmp_path / "models/patchcore/1")
    settings = Settings(
        models_dir=tmp_path / "models", examples_dir=EXAMPLES, device="cpu", trainings_dir=tmp_path / "trainings"
    )
    with running(settings) as live:
        yield live


def zones(site: Live) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx2.get(f"{site.url}/v1/models/patchcore/zones").json()["features"]
    return found


def corners(zone: dict[str, Any]) -> list[list[float]]:
    """The corners of a zone of one ring."""
    coordinates = zone["geometry"]["coordinates"]
    ring: list[list[float]] = coordinates[0] if zone["geometry"]["type"] == "Polygon" else coordinates[0][0]
    return ring[:-1]


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a place of the picture of 160 x 96 pixels is in the window, while all of it is shown."""
    box = page.locator("#canvas").bounding_box()
    assert box
    scale = min((box["width"] - 24) / 160, (box["height"] - 24) / 96)
    return box["x"] + box["width"] / 2 + (x - 80) * scale, box["y"] + box["height"] / 2 + (y - 48) * scale


def test_zones_are_drawn_by_mouse_saved_and_shown(open_page: Open, zone_site: Live, files: Path) -> None:
    page = open_page(zone_site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.click("#zones-edit")
    expect(page.locator("#zones-note")).to_have_text("There are no zones yet.")
    page.click("#zones-draw")
    for x, y in ((80, 20), (150, 20), (150, 80), (80, 80), (80, 20)):  # the first corner closes it
        page.mouse.click(*at(page, x, y))
    expect(page.locator("#zones li")).to_have_count(1)
    page.mouse.move(*at(page, 80, 80))
    page.mouse.down()
    page.mouse.move(*at(page, 70, 90), steps=3)
    page.mouse.up()
    page.click("#regions .region >> nth=0")
    page.click("#zones-region")
    expect(page.locator("#zones li")).to_have_count(2)
    page.click("#zones-undo")
    expect(page.locator("#zones li")).to_have_count(1)
    page.fill("#zones input[type=text]", "clamp")
    page.select_option("#zones select", "own")
    page.fill("#zones input[type=number]", "0.9")
    page.click("#zones-save")
    expect(page.locator("#zones-note")).to_contain_text("Version 2 of patchcore was written, and serves")
    expect(page.locator("#zones-note")).to_contain_text("tessera models rollback --name patchcore")
    (zone,) = zones(zone_site)
    assert zone["properties"] == {"name": "clamp", "threshold": 0.9}
    expected = ((80, 20), (150, 20), (150, 80), (70, 90))
    for (x, y), (right, down) in zip(expected, corners(zone), strict=True):
        assert abs(x - right) <= 1 and abs(y - down) <= 1
    page.click("#zones-again")
    expect(page.locator("#facts")).to_contain_text("patchcore version 2")
    expect(page.locator("#regions")).to_contain_text(" in clamp")

    httpx2.put(
        f"{zone_site.url}/v1/models/patchcore/zones",
        json={"type": "FeatureCollection", "features": []},
        headers={"If-Match": "*"},
    ).raise_for_status()
    page.click("#zones li button")
    page.click("#regions .region >> nth=0")
    page.click("#zones-region")
    page.click("#zones-save")
    expect(page.locator("#zones-note")).to_contain_text("read them again")
    page.click("#zones-reload")
    expect(page.locator("#zones-note")).to_have_text("There are no zones yet.")
    page.click("#zones-undo")  # what was drawn
    page.click("#zones-save")
    expect(page.locator("#zones-note")).to_contain_text("Version 4 of patchcore was written, and serves")
    assert zones(zone_site)[0]["properties"]["ignore"]


def test_zones_are_drawn_by_keyboard_on_a_phone_without_an_axe_finding(
    open_page: Open, zone_site: Live, files: Path
) -> None:
    page = open_page(zone_site.url, width=390, height=780)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    late: list[Route] = []
    page.route("**/models/patchcore/zones*", lambda route: late.append(route))  # Playwright marks the function
    page.focus("#zones-edit")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#zones-draw")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#canvas")).to_be_focused()
    keys = ["Space", *["ArrowRight"] * 3, "Space", *["ArrowDown"] * 3, "Space", "Shift+ArrowLeft", "Space", "Backspace"]
    for key in keys:
        page.keyboard.press(key)
    assert not Axe().run(page).response["violations"]
    page.keyboard.press("Enter")
    expect(page.locator("#zones li")).to_have_count(1)
    for route in late:  # the zones of the server come after the first one was drawn, which stays
        route.continue_()
    page.unroute("**/models/patchcore/zones*")
    expect(page.locator("#zones-note")).to_have_text("1 zone.")
    expect(page.locator("#zones li")).to_have_count(1)
    page.keyboard.press("z")
    expect(page.locator("#zones li")).to_have_count(0)
    page.keyboard.press("Enter")
    page.focus("#zones input[type=text]")
    page.keyboard.press("End")
    page.keyboard.type(" of the belt")
    page.keyboard.press("Tab")
    assert not Axe().run(page).response["violations"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.focus("#zones-save")
    page.keyboard.press("Enter")
    expect(page.locator("#zones-note")).to_contain_text("Version 2 of patchcore was written, and serves")
    (zone,) = zones(zone_site)
    assert zone["properties"] == {"name": "zone 1 of the belt", "ignore": True} and len(corners(zone)) == 3
    repository = ModelRepository(zone_site.services.zones._repository.root)
    rollback(repository, "patchcore", verify_artifact)
    httpx2.post(f"{zone_site.url}/v1/models/patchcore/reload").raise_for_status()
    page.focus("#zones-reload")
    page.keyboard.press("Enter")
    expect(page.locator("#zones-title")).to_have_text("Zones of patchcore, version 1")
    page.focus("#zones-edit")
    page.keyboard.press("Enter")
    expect(page.locator("#zones-draw")).to_be_hidden()


def draw_by_keyboard(page: Page, count: int) -> None:
    """Draws zones of three corners."""
    for _ in range(count):
        page.click("#zones-draw")
        for key in ("Space", "ArrowRight", "Space", "ArrowDown", "Space", "Enter"):
            page.keyboard.press(key)
    expect(page.locator("#zones li")).to_have_count(count)


def test_a_click_into_a_row_that_is_not_selected_reaches_its_control(
    open_page: Open, zone_site: Live, files: Path
) -> None:
    page = open_page(zone_site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.click("#zones-edit")
    draw_by_keyboard(page, 3)
    rows = page.locator("#zones li")
    expect(rows.nth(2)).to_have_class("selected")
    page.fill("#zones li:nth-child(3) input[type=text]", "last")
    rows.nth(0).locator("button").click()
    expect(rows).to_have_count(2)
    expect(rows.nth(1).locator("input[type=text]")).to_have_value("last")
    page.evaluate("document.querySelector('#zones select').id = 'kept'")
    page.click("#kept")  # a list of choices stays open only while its element stays
    expect(rows.nth(0)).to_have_class("selected")
    expect(page.locator("#kept")).to_be_focused()


def test_what_is_changed_while_zones_are_saved_stays_to_be_saved(open_page: Open, zone_site: Live, files: Path) -> None:
    page = open_page(zone_site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.click("#zones-edit")
    draw_by_keyboard(page, 1)
    late: list[Route] = []
    page.route(
        "**/models/patchcore/zones*",
        lambda route: late.append(route) if route.request.method == "PUT" and not late else route.continue_(),
    )
    page.click("#zones-save")
    expect(page.locator("#zones-note")).to_have_text("Saving…")
    page.select_option("#zones select", "own")
    late[0].continue_()
    expect(page.locator("#zones-note")).to_contain_text("Version 2 of patchcore was written, and serves")
    expect(page.locator("#zones-save")).to_be_enabled()
    page.click("#zones-save")
    expect(page.locator("#zones-note")).to_contain_text("Version 3 of patchcore was written, and serves")
    assert zones(zone_site)[0]["properties"]["threshold"] == 0.7


def test_zones_of_another_model_are_read_while_those_of_the_first_still_come(
    open_page: Open, site: Live, files: Path
) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.select_option("#model", "padim")
    choose(page, files / "normal.png")
    answered(page, "normal.png")
    late: list[Route] = []
    page.route("**/models/padim/zones*", lambda route: late.append(route))
    page.click("#zones-edit")
    expect(page.locator("#zones-note")).to_have_text("Reading the zones…")
    page.click("#strip .pick >> nth=0")
    expect(page.locator("#zones-title")).to_have_text("Zones of patchcore, version 2")
    expect(page.locator("#zones-note")).to_have_text("There are no zones yet.")
    for route in late:
        route.abort()
    expect(page.locator("#zones-note")).to_have_text("There are no zones yet.")
    page.click("#strip .pick >> nth=1")
    expect(page.locator("#zones-note")).to_have_text("The server does not answer.")


def test_corners_are_selected_moved_and_removed_by_keyboard(open_page: Open, zone_site: Live, files: Path) -> None:
    page = open_page(zone_site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.click("#zones-edit")
    page.click("#zones-draw")
    for x, y in ((40, 20), (100, 20), (100, 60), (40, 60), (40, 20)):
        page.mouse.click(*at(page, x, y))
    expect(page.locator("#zones li")).to_have_count(1)
    expect(page.locator("#corner-keys")).to_be_visible()
    canvas, said = page.locator("#canvas"), page.locator("#announcements")
    expect(canvas).to_be_focused()
    page.keyboard.press("Tab")
    expect(said).to_contain_text("Corner 1 of 4 of zone 1: ")
    page.keyboard.press("Tab")
    found = re.fullmatch(r"Corner 2 of 4 of zone 1: (\d+), (\d+)", said.inner_text())
    assert found
    x, y = map(int, found.groups())
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(said).to_have_text(f"Corner 2 of 4 of zone 1: {x + 2}, {y + 10}")
    page.keyboard.press("z")  # takes all moves of the corner back
    page.keyboard.press("ArrowLeft")
    expect(said).to_have_text(f"Corner 2 of 4 of zone 1: {x - 1}, {y}")
    assert not Axe().run(page).response["violations"]
    page.keyboard.press("Tab")
    page.keyboard.press("Delete")
    expect(said).to_contain_text("Removed. Corner 3 of 3 of zone 1: ")
    page.keyboard.press("Delete")
    expect(said).to_have_text("This corner stays: a zone has at least three corners.")
    page.keyboard.press("Shift+Tab")
    expect(said).to_contain_text("Corner 2 of 3 of zone 1: ")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # after the last one
    expect(canvas).not_to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(canvas).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(canvas).not_to_be_focused()
    page.click("#zones-save")
    expect(page.locator("#zones-note")).to_contain_text("Version 2 of patchcore was written, and serves")
    ring = corners(zones(zone_site)[0])
    assert len(ring) == 3 and ring[1] == [x - 1, y]

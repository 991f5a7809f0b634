"""The review of kept pictures in a browser, by keyboard, mouse and touch."""

import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, Route, expect

from app.settings import Settings
from tests.conftest import draw_surface
from tests.running import Live, running
from tests.waiting import wait_until
from tests.web.conftest import EXAMPLES, Open


@pytest.fixture
def review_site(models_dir: Path, tmp_path: Path) -> Iterator[Live]:
    """A server that has kept three pictures: two with a stain, one without."""
    settings = Settings(
        models_dir=models_dir,
        examples_dir=EXAMPLES,
        device="cpu",
        default_model="patchcore",
        pictures_dir=tmp_path / "kept",
        pictures_keep="all",
        pictures_free_bytes=0,
    )
    with running(settings) as live:
        for seed, has_stain in ((1, True), (2, False), (3, True)):
            picture = draw_surface(seed)
            if has_stain:
                picture[40:56, 100:124] = (255, 0, 0)
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG")
            form = {"image": (f"p{seed}.png", file.getvalue(), "image/png")}
            httpx2.post(f"{live.url}/v1/models/patchcore/predict", files=form, timeout=60).raise_for_status()
        wait_until(lambda: len(kept(live)) == 3)
        yield live


def kept(site: Live) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx2.get(f"{site.url}/v1/pictures").json()["pictures"]
    return found


def of(site: Live, name: str) -> dict[str, Any]:
    return next(each for each in kept(site) if each["name"] == name)


def shown(page: Page) -> str:
    """The name of the picture, once it is loaded."""
    expect(page.locator("#review .name")).not_to_be_empty()
    expect(page.locator("#review .note")).not_to_contain_text("Loading")
    return page.locator("#review .name").inner_text()


def is_reviewed(page: Page, site: Live, name: str) -> bool:
    """Whether the server has a review; lets the page go on meanwhile."""
    page.evaluate("1")
    return "review" in of(site, name)


def saved(page: Page) -> None:
    expect(page.locator("#review .note")).to_have_text("Saved.")


def test_pictures_are_reviewed_by_keyboard_alone(open_page: Open, review_site: Live) -> None:
    page = open_page(review_site.url)
    expect(page.locator("#review-toggle")).to_be_visible()
    page.focus("#review-toggle")
    page.keyboard.press("Enter")
    expect(page.locator("#review-canvas")).to_be_focused()
    expect(page.locator("#review .progress")).to_have_text("Picture 1 of 3, 0 reviewed in this visit")
    order = [each["name"] for each in kept(review_site)]  # the nearest to the threshold first
    assert shown(page) == order[0]
    for name in order:
        assert shown(page) == name
        page.keyboard.press("h" if of(review_site, name)["regions"] else "a")
        wait_until(partial(is_reviewed, page, review_site, name))
        if shown(page) == name:
            page.keyboard.press("ArrowRight")
    expect(page.locator("#review .progress")).to_contain_text("3 reviewed in this visit")
    stained = next(name for name in order if of(review_site, name)["regions"])
    while shown(page) != stained:
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("z")  # not harmless after all
    wait_until(lambda: not is_reviewed(page, review_site, stained))
    page.keyboard.press("ArrowUp")
    expect(page.locator("#announcements")).to_contain_text(re.compile(r"Region \d of \d: \d\.\d+, not judged"))
    page.keyboard.press("d")
    saved(page)
    assert of(review_site, stained)["review"]["label"] == "defect"
    for key in ("b", "]", "ArrowLeft", "ArrowUp", "Space", "m", "+", "0"):
        page.keyboard.press(key)
    expect(page.locator("#review .said")).to_contain_text("1 drawn")
    saved(page)
    (missed,) = of(review_site, stained)["review"]["missed"]
    xs, ys = zip(*missed["rings"][0], strict=True)
    assert 60 < min(xs) < 80 < max(xs) + 5 and 30 < min(ys) < max(ys) < 60
    page.keyboard.press("Escape")
    expect(page.locator("#review button", has_text="Missed here")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    expect(page.locator("#review")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_visible()


def test_the_view_has_no_axe_finding_and_works_by_click_and_on_a_phone(open_page: Open, review_site: Live) -> None:
    page = open_page(f"{review_site.url}/#review", width=390, height=780)
    stained = next(each for each in kept(review_site) if each["regions"])
    while shown(page) != stained["name"]:
        page.click('#review button:text("Next")')
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#review-canvas").scroll_into_view_if_needed()
    box, peak = page.locator("#review-canvas").bounding_box(), stained["regions"][0]["peak"]
    assert box
    scale = min((box["width"] - 24) / 160, (box["height"] - 24) / 96)
    x = box["x"] + box["width"] / 2 + (peak["x"] - 80) * scale
    y = box["y"] + box["height"] / 2 + (peak["y"] - 48) * scale
    for label in ("defect", "harmless", "unsure"):
        page.mouse.click(x, y)
        expect(page.locator("#review .judged li").first).to_have_attribute("data-label", label)
    saved(page)
    page.click('#review button:text("Missed here")')
    page.mouse.move(box["x"] + 40, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, y, steps=4)
    page.mouse.up()
    saved(page)
    found = of(review_site, stained["name"])["review"]
    assert found["label"] == "defect" and len(found["missed"]) == 1
    page.set_viewport_size({"width": 1280, "height": 800})
    assert Axe().run(page).violations_count == 0


def test_a_review_by_somebody_else_is_not_overwritten(open_page: Open, review_site: Live) -> None:
    page = open_page(f"{review_site.url}/#review")
    name = shown(page)
    picture = of(review_site, name)
    url = f"{review_site.url}/v1/pictures/{picture['id']}/review"
    httpx2.put(url, json={"label": "unsure"}, headers={"If-Match": picture["etag"]}).raise_for_status()
    page.keyboard.press("w")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#review .said")).to_contain_text("Reviewed: unsure")
    assert of(review_site, name)["review"]["label"] == "unsure"
    page.click('#review button:text("A defect")')
    wait_until(lambda: page.evaluate("1") == 1 and of(review_site, name)["review"]["label"] == "defect")


def refuse(route: Route) -> None:
    """Answers as a server without free disk does."""
    body = {"title": "Full.", "detail": "the disk is full", "code": "storage_full", "status": 507}
    route.fulfill(status=507, json=body, content_type="application/problem+json")


def test_a_review_that_is_not_saved_is_named_until_it_is(open_page: Open, review_site: Live) -> None:
    page = open_page(f"{review_site.url}/#review")
    name = shown(page)
    page.route("**/review", refuse)
    page.keyboard.press("w")  # which goes on to the next picture
    expect(page.locator("#review .note")).to_have_text(f"The review of {name} was not saved: the disk is full.")
    page.unroute("**/review")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == name
    page.keyboard.press("w")
    page.keyboard.press("ArrowLeft")
    saved(page)
    assert of(review_site, name)["review"]["label"] == "defect"


def test_another_order_and_a_missing_heatmap_leave_the_picture_as_it_was(open_page: Open, review_site: Live) -> None:
    page = open_page(f"{review_site.url}/#review")
    shown(page)
    late: list[Route] = []
    page.route("**/heatmap", refuse)
    page.keyboard.press("m")
    expect(page.locator("#review .note")).to_have_text("The heatmap cannot be shown: the disk is full")
    page.unroute("**/heatmap")
    page.mouse.move(500, 400)
    page.keyboard.press("b")  # draws the picture again
    page.keyboard.press("m")
    page.keyboard.press("m")
    page.route("**/v1/pictures?*", lambda route: late.append(route))
    page.select_option("#review .wishes select >> nth=2", "newest")
    expect(page.locator("#review .note")).to_have_text("Loading the list")
    page.mouse.move(520, 420)  # draws the stage, whose picture was freed
    page.evaluate("new Promise(requestAnimationFrame)")
    late[0].continue_()
    assert shown(page) == "p3.png"


def test_a_list_that_did_not_come_is_requested_when_the_review_is_opened_again(
    open_page: Open, review_site: Live
) -> None:
    page = open_page(review_site.url)
    page.route("**/v1/pictures?limit=50*", lambda route: route.abort())
    page.click("#review-toggle")
    expect(page.locator("#review .note")).to_have_text("The server does not answer.")
    page.click("#review-toggle")
    page.unroute("**/v1/pictures?limit=50*")
    page.click("#review-toggle")
    expect(page.locator("#review .progress")).to_contain_text("Picture 1 of 3")
    for _ in range(3):  # a key that is held judges one picture
        page.keyboard.down("a")
    page.keyboard.up("a")
    expect(page.locator("#review .progress")).to_have_text("Picture 2 of 3, 1 reviewed in this visit")


def test_a_server_that_keeps_nothing_shows_no_review(open_page: Open, site: Live) -> None:
    page = open_page(f"{site.url}/#review")
    expect(page.locator("#review-toggle")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_visible()


def test_a_stroke_becomes_polygons_with_holes_within_the_picture(open_page: Open, site: Live) -> None:
    page = open_page(site.url)
    polygons = page.evaluate(
        """async () => {
            const main = document.querySelector('script[src$="main.js"]').src;
            const { polygonsOf } = await import(main.replace("main.js", "review/brush.js"));
            const loop = [[0, 2], [60, 2], [60, 50], [0, 50], [0, 2]].map(([x, y]) => ({ x, y }));
            const size = { width: 64, height: 64 };
            return [polygonsOf(loop, 6, size), polygonsOf([{ x: 500, y: 5 }], 6, size)];
        }"""
    )
    ((outer, hole),), outside = polygons
    assert outside == []
    assert {(0, 0), (64, 0)} <= {tuple(point) for point in outer}
    assert all(0 <= x <= 64 and 0 <= y <= 56 for x, y in outer)
    assert sorted(hole) == [[6, 8], [6, 44], [54, 8], [54, 44]]
    for ring in (outer, hole):  # each point is a corner
        for (x, y), (next_x, next_y) in zip(ring, [*ring[1:], ring[0]], strict=True):
            assert (x == next_x) != (y == next_y)

"""The page of an evaluation in a browser, opened as a file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from app.cli import main
from tests.conftest import draw_surface

Report = tuple[Page, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with faint to strong stains, and the reports on them."""
    root = tmp_path_factory.mktemp("report")
    for number in range(6):
        picture, mask = draw_surface(70 + number), np.zeros((96, 160), np.uint8)
        strength, mask[40:56, 100:124] = number / 5, 255
        picture[40:56, 100:124] = picture[40:56, 100:124] * (1 - strength) + strength * np.array([255, 0, 0])
        files = {f"test/good/{number}.png": draw_surface(80 + number), f"test/stain/{number}.png": picture}
        for name, pixels in {**files, f"ground_truth/stain/{number}_mask.png": mask}.items():
            path = root / "data/steel" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    data = ["--data", "MVTec", "--data.root", str(root / "data"), "--data.category", "steel", "--data.num_workers", "0"]
    common = [*data, "--models_dir", str(models_dir), "--output", str(root)]
    assert main(["evaluate", "--name", "patchcore", *common]) == 0
    assert main(["compare", "patchcore", "padim", *common]) == 0
    return root


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page without network; errors and warnings in its console fail the test."""
    messages: list[str] = []
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    page = context.new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    yield page
    context.close()
    assert messages == []


@pytest.fixture
def report(page: Page, folder: Path) -> Report:
    page.goto((folder / "report.html").as_uri())
    return page, json.loads((folder / "metrics.json").read_text())


def states(page: Page) -> list[str]:
    found: list[str] = page.locator("table.list tbody tr:not([hidden]) .badge").all_text_contents()
    return found


def test_the_page_begins_at_the_models_threshold(report: Report) -> None:
    page, metrics = report
    at = metrics["image"]["at_threshold"]
    expect(page.locator("#found")).to_contain_text(f"{at['true_positives']} of 6: ")
    expect(page.locator("#alarms")).to_contain_text(f"{at['false_positives']} of 6: ")
    expect(page.locator("#raw")).to_have_text(f"{at['threshold']:.4g}")
    assert states(page).count("found") == at["true_positives"]


@pytest.mark.parametrize("key", ["ArrowLeft", "ArrowRight"])
def test_the_slider_changes_counts_verdicts_and_the_histogram(report: Report, key: str) -> None:
    page, metrics = report
    slider = page.get_by_label("Threshold of normalised scores")
    slider.focus()
    for _ in range(3):
        page.keyboard.press(key)
    page.keyboard.press("Home" if key == "ArrowLeft" else "PageUp")
    threshold = float(slider.input_value())
    assert (threshold < 0.5) == (key == "ArrowLeft")
    over = [picture["anomalous"] for picture in metrics["pictures"] if picture["score"] > threshold]
    expect(page.locator("#found")).to_contain_text(f"{sum(over)} of 6: ")
    expect(page.locator("#alarms")).to_contain_text(f"{len(over) - sum(over)} of 6: ")
    assert states(page).count("found") == sum(over)
    assert states(page).count("false alarm") == len(over) - sum(over)
    assert page.locator("#mark").get_attribute("transform") == f"translate({480 * threshold:g} 0)"
    page.get_by_role("button", name="use it").click()
    assert float(slider.input_value()) == 0.5


def test_a_recall_of_the_table_is_reached_with_its_button(report: Report) -> None:
    page, metrics = report
    for number, point in enumerate(metrics["recall"]):
        page.locator("button.use").nth(number).click()
        expect(page.locator("#found")).to_contain_text(f"{point['true_positives']} of 6: ")
        expect(page.locator("#alarms")).to_contain_text(f"{point['false_positives']} of 6: ")
        assert float(page.get_by_label("Threshold as a number").input_value()) == point["threshold"]


def test_an_impossible_threshold_is_not_used(report: Report) -> None:
    page, _ = report
    before = page.locator("#found").text_content()
    exact = page.get_by_label("Threshold as a number")
    exact.fill("7")
    exact.blur()
    assert page.locator("#found").text_content() == before
    assert exact.input_value() == "0.5"


def test_the_list_is_sorted_and_filtered(report: Report) -> None:
    page, metrics = report
    page.get_by_role("button", name="score", exact=True).click()
    shown = [float(text) for text in page.locator("table.list td.score").all_text_contents()]
    assert shown == sorted(shown, reverse=True)
    page.get_by_role("button", name="score", exact=True).click()
    assert page.locator("table.list td.score").first.text_content() == f"{min(shown):.3f}"
    page.get_by_label("of kind").select_option("stain")
    expect(page.locator(".filters output")).to_have_text("6 of 12 pictures")
    page.get_by_label("with a name that contains").fill("/3")
    expect(page.locator(".filters output")).to_have_text("1 of 12 pictures")
    page.get_by_label("with a name that contains").fill("")
    page.get_by_label("of kind").select_option("")
    page.get_by_label("Show").select_option("wrong")
    at = metrics["image"]["at_threshold"]
    assert len(states(page)) == at["false_negatives"] + at["false_positives"]


def test_a_picture_is_enlarged_and_closed_by_keyboard(report: Report) -> None:
    page, _ = report
    small = page.locator("button.thumbnail").first
    small.focus()
    page.keyboard.press("Enter")
    large = page.locator("#enlarged img")
    expect(large).to_be_visible()
    assert large.get_attribute("src") == small.locator("img").get_attribute("src")
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()


def test_the_comparison_lists_changed_verdicts(page: Page, folder: Path) -> None:
    page.goto((folder / "compare.html").as_uri())
    record = json.loads((folder / "compare.json").read_text())
    page.get_by_label("Show").select_option("changed")
    expect(page.locator(".filters output")).to_have_text(f"{len(record['changed'])} of 12 pictures")


@pytest.mark.parametrize("name", ["report.html", "compare.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(page: Page, folder: Path, name: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto((folder / name).as_uri())
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("name", ["report.html", "compare.html"])
def test_a_narrow_screen_shows_the_whole_page(page: Page, folder: Path, name: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto((folder / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 375

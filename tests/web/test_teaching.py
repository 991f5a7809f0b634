"""Teaching in the review of a browser: from reviewed pictures to a served version and back, by keyboard."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from app.settings import Settings
from tests.running import Live, running
from tests.teaching.kept import filled
from tests.web.conftest import WAIT_MS, Open

NAME = "lid"


@pytest.fixture
def teaching_site(teachable_dir: Path, tmp_path: Path) -> Iterator[Live]:
    """A server with kept pictures, most of which are reviewed."""
    shutil.copytree(teachable_dir, tmp_path / "models")
    filled(tmp_path / "kept", NAME).close()
    settings = Settings(
        models_dir=tmp_path / "models",
        device="cpu",
        trainings_dir=tmp_path / "trainings",
        pictures_dir=tmp_path / "kept",
        pictures_free_bytes=0,
    )
    with running(settings) as live:
        yield live


def test_a_model_is_taught_proved_served_and_taken_back_by_keyboard(open_page: Open, teaching_site: Live) -> None:
    page = open_page(f"{teaching_site.url}/#review")
    teach, status = page.get_by_role("button", name=f"Teach {NAME}"), page.locator("#review .teaching .status")
    expect(status).to_have_text("What was reviewed becomes a new version, which is proved before it serves.")
    page.locator("#review .teaching summary").focus()
    page.keyboard.press("Enter")
    page.locator("#review .teaching select").focus()
    page.keyboard.type("another")
    rate, second = (page.get_by_label(each) for each in ("Rate of false alarms in percent", "second stage"))
    expect(second).to_be_checked()
    rate.fill("0")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    teach.focus()
    page.keyboard.press("Enter")
    expect(status).to_have_text("The rate of false alarms must be over 0 % and under 100 %, such as 1 %.")
    expect(rate).to_be_focused()
    rate.fill("5")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    teach.focus()
    with page.expect_request("**/teach") as request:
        page.keyboard.press("Enter")
    assert request.value.post_data_json == {"false_positive_rate": 0.05, "second_stage": False}
    expect(page.locator("#review .teaching progress")).to_be_visible()
    expect(status).to_have_text("Version 2 is written, and version 1 still serves. Decide.", timeout=WAIT_MS)
    said = page.locator("#review .teaching li")
    expect(said.filter(has_text="4 false alarms of 4 vanish")).to_be_visible()
    expect(said.filter(has_text="0 of 3 confirmed defects lost")).to_be_visible()
    expect(page.locator("#review .teaching figure").first).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    word = page.get_by_label("I have looked at the doubtful pictures, and did not judge them")
    if word.is_visible():  # four alarms far over the threshold were called harmless
        expect(page.get_by_role("button", name="Serve it")).to_be_disabled()
        word.focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Serve it").focus()
    page.keyboard.press("Enter")
    expect(status).to_have_text("Version 2 serves.")
    assert httpx2.get(f"{teaching_site.url}/v1/models/{NAME}").json()["live"] == 2
    expect(page.get_by_role("button", name="Go back")).to_be_focused()
    page.keyboard.press("Enter")
    expect(status).to_have_text("Version 1 serves again.")
    assert httpx2.get(f"{teaching_site.url}/v1/models/{NAME}").json()["live"] == 1


def test_a_refused_candidate_says_why_and_offers_nothing(open_page: Open, teaching_site: Live, tmp_path: Path) -> None:
    filled(tmp_path / "kept", NAME, poison=5).close()
    page = open_page(f"{teaching_site.url}/#review")
    with page.expect_request("**/teach") as request:
        page.get_by_role("button", name=f"Teach {NAME}").click()
    assert request.value.post_data_json == {"false_positive_rate": None, "second_stage": True}
    status = page.locator("#review .teaching .status")
    expect(status).to_have_text("The proof refused the candidate. Version 1 still serves.", timeout=WAIT_MS)
    expect(page.locator("#review .teaching li").first).to_contain_text(
        "refused: 3 of 3 confirmed defects would be lost"
    )
    expect(page.get_by_role("button", name="Serve it")).to_be_hidden()
    expect(page.locator("#review .teaching figcaption").first).to_contain_text("called harmless, resembles a defect")


def test_a_teaching_is_not_shown_as_that_of_another_model(open_page: Open, teaching_site: Live) -> None:
    page = open_page(teaching_site.url)
    late: list[Route] = []
    page.route("**/teach", lambda route: late.append(route))
    page.route("**/v1/models", lambda route: route.fulfill(json={"models": [{"name": NAME}, {"name": "other"}]}))
    page.route("**/v1/teachings?*model=other", lambda route: route.fulfill(json={"teachings": []}))
    page.click("#review-toggle")
    page.get_by_role("button", name=f"Teach {NAME}").click()
    expect(page.locator("#review .teaching .status")).to_have_text("Starts")
    page.select_option("#review .wishes select >> nth=0", "other")
    expect(page.get_by_role("button", name="Teach other")).to_be_visible()
    with page.expect_response("**/teach"):
        late[0].continue_()
    page.wait_for_timeout(700)  # longer than between two requests for the progress
    expect(page.locator("#review .teaching .status")).to_contain_text("What was reviewed becomes a new version")
    expect(page.locator("#review .teaching progress")).to_be_hidden()
    page.select_option("#review .wishes select >> nth=0", NAME)
    expect(page.locator("#review .teaching .status")).not_to_contain_text("What was reviewed")

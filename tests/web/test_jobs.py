"""The page shows jobs, and their finished pictures by their pyramids."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from app.settings import Settings
from tests.jobs.conftest import drawn
from tests.running import Live, running
from tests.waiting import wait_until
from tests.web.conftest import EXAMPLES, Open


@pytest.fixture
def jobs_site(models_dir: Path, tmp_path: Path) -> Iterator[Live]:
    """A server with jobs."""
    folder = tmp_path / "opened"
    folder.mkdir()
    (folder / "wide.tif").write_bytes(drawn(600, 700))
    settings = Settings(
        models_dir=models_dir,
        examples_dir=EXAMPLES,
        device="cpu",
        jobs_dir=tmp_path / "jobs",
        jobs_folder=folder,
        jobs_free_bytes=0,
    )
    with running(settings) as live:
        yield live


def test_a_finished_picture_is_shown_by_its_pyramid(open_page: Open, jobs_site: Live) -> None:
    def make(picture: dict[str, object]) -> str:
        body = {"model": "patchcore", "pictures": [picture]}
        return str(httpx2.post(f"{jobs_site.url}/v1/jobs", json=body, timeout=60).raise_for_status().json()["id"])

    done, waiting = make({"path": "wide.tif"}), make({"name": "part.tif", "length": 1000})
    wait_until(lambda: httpx2.get(f"{jobs_site.url}/v1/jobs/{done}").json()["state"] == "done")
    page = open_page(jobs_site.url)
    tiles: list[str] = []
    page.on("response", lambda answer: tiles.append(answer.url) if "/tiles/overlay/" in answer.url else None)
    page.click("#jobs-toggle")
    expect(page.locator("#jobs .job")).to_have_count(2)
    expect(page.locator(f'[data-job="{done}"]')).to_contain_text(
        re.compile(r"wide\.tif, 700 × 600, done, \d+ final region")
    )
    assert Axe().run(page).violations_count == 0
    cancel, remove = (page.locator(f'[data-job="{each}"] button').first for each in (waiting, done))
    refusal = {"title": "No.", "detail": "the disk cannot be written", "status": 507}
    page.route("**/v1/jobs/*", lambda route: route.fulfill(status=507, json=refusal))
    cancel.click()
    expect(page.locator("#jobs .note")).to_have_text("the disk cannot be written")
    page.unroute("**/v1/jobs/*")
    page.wait_for_timeout(1200)  # longer than between two requests for the jobs
    expect(page.locator("#jobs .note")).to_have_text("the disk cannot be written")
    remove.focus()
    httpx2.delete(f"{jobs_site.url}/v1/jobs/{waiting}").raise_for_status()
    expect(page.locator(f'[data-job="{waiting}"] .title')).to_contain_text("cancelled")
    expect(remove).to_be_focused()
    page.click(f'[data-job="{done}"] button:text("Show")')
    expect(page.locator("#job-facts")).to_contain_text("anomalous")
    page.click("#job-actual")
    wait_until(lambda: page.evaluate("1") == 1 and any("/tiles/overlay/0/" in url for url in tiles))
    red = """() => {
        const canvas = document.getElementById("job-canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) count += data[at] > 200 && data[at + 1] < 160 && data[at + 2] < 120;
        return count;
    }"""
    page.click("#job-regions button >> nth=0")
    wait_until(lambda: int(page.evaluate(red)) > 100)
    assert Axe().run(page).violations_count == 0
    page.click("#job-close")
    expect(page.locator("#job-view")).to_be_hidden()


def test_a_server_without_jobs_shows_none(open_page: Open, site: Live) -> None:
    page = open_page(site.url)
    expect(page.locator("#jobs-toggle")).to_be_hidden()

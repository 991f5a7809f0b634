"""The page in a browser, with the actions of a person."""

import base64
import csv
import io
import json
import re
import zipfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from app.errors import Overloaded
from app.settings import Settings
from tests.running import Live, running
from tests.waiting import wait_until
from tests.web.conftest import WAIT_MS, Open

expect.set_options(timeout=WAIT_MS)


def choose(page: Page, *paths: Path) -> None:
    page.set_input_files("#choose", [str(path) for path in paths])


def answered(page: Page, name: str) -> None:
    """Waits until the page shows this picture with its regions."""
    expect(page.locator("#announcements")).to_contain_text(f"{name}: ")


def rows(page: Page) -> list[tuple[str, str]]:
    """The score and the area of each region in the list."""
    found: list[list[str]] = page.locator("#regions .region").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return [(score, area) for _, score, _, area in found]


def predicted(site: Live, data: bytes, model: str = "patchcore", **query: object) -> dict[str, Any]:
    url = f"{site.url}/v1/models/{model}/predict"
    body: dict[str, Any] = httpx2.post(url, params=query, content=data, timeout=60).json()  # type: ignore[arg-type]  # plain values
    return body


def test_a_chosen_picture_is_shown_with_the_servers_answer(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    body = predicted(site, (files / "defect.png").read_bytes())
    expect(page.locator("#label")).to_contain_text("Anomalous")
    expect(page.locator("#label .number")).to_have_text(f"{body['score']:.3f}")
    expect(page.locator("#facts")).to_contain_text("160 × 96, patchcore version 2")
    assert rows(page) == [(f"{region['score']:.3f}", f"{region['area']:,} px") for region in body["regions"]]
    expect(page.locator("#strip .outcome")).to_have_text(f"anomalous {body['score']:.3f}")


def test_a_picture_of_an_unseen_size_has_a_note(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "normal.png")
    answered(page, "normal.png")
    expect(page.locator("#notes")).to_be_hidden()
    Image.open(files / "normal.png").crop((0, 0, 150, 50)).save(files / "strip.png")
    choose(page, files / "strip.png")
    answered(page, "strip.png")
    expect(page.locator("#notes")).to_have_text(
        "The model was trained on pictures of other sizes. The picture is smaller than a tile."
    )


def test_a_dropped_picture_is_answered(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    content = base64.b64encode((files / "normal.png").read_bytes()).decode()
    page.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
                document.querySelector("#window").dispatchEvent(event);
            }
        }""",
        content,
    )
    answered(page, "dropped.png")
    expect(page.locator("#label")).to_contain_text("Normal")
    expect(page.locator("#regions-title")).to_have_text("No regions")


def test_an_example_is_answered_after_one_click(open_page: Open, site: Live) -> None:
    page = open_page(site.url)
    example = page.get_by_role("button", name="defect.png")
    problem = {"title": "Busy.", "detail": "the server is busy", "status": 429}
    page.route("**/page/examples/*", lambda route: route.fulfill(status=429, json=problem))
    example.click()
    expect(example).to_contain_text("the server is busy")
    page.unroute("**/page/examples/*")
    example.click()
    answered(page, "defect.png")
    expect(page.locator("#canvas")).to_be_focused()  # the button that had the focus has gone


def test_several_pictures_are_answered_and_a_bad_one_shows_its_error(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "notes.txt", files / "defect.png", files / "normal.png")
    expect(page.locator("#strip li")).to_have_count(3)
    outcomes = page.locator("#strip .outcome")
    expect(outcomes.nth(0)).to_have_text("failed")
    expect(outcomes.nth(1)).to_contain_text("anomalous")
    expect(outcomes.nth(2)).to_contain_text("normal")
    problem = predicted(site, (files / "notes.txt").read_bytes())
    expect(page.locator("#cover .trouble")).to_have_text(problem["detail"])
    page.locator("#cover").get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#strip li")).to_have_count(2)
    answered(page, "defect.png")
    page.focus("#strip .remove >> nth=0")
    page.keyboard.press("Enter")
    expect(page.locator("#strip .pick")).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 780})
    choose(page, *[files / "normal.png"] * 5, files / "defect.png")
    expect(page.locator("#strip li")).to_have_count(7)
    page.click("#strip .pick >> nth=0")
    choose(page, files / "defect.png")  # is selected, and the strip shows it
    expect(page.locator("#strip li")).to_have_count(8)
    wait_until(lambda: page.evaluate("document.getElementById('strip').scrollLeft") > 300)


def test_a_threshold_that_is_set_before_the_map_is_read_is_kept(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    page.evaluate(
        """() => new MutationObserver((_, observer) => {
            if (document.getElementById("scale-panel").hidden) return;
            observer.disconnect();
            const number = document.getElementById("threshold-number");
            number.value = "0.4";
            number.dispatchEvent(new Event("input"));
        }).observe(document.getElementById("scale-panel"), { attributeFilter: ["hidden"] })"""
    )
    choose(page, files / "defect.png")
    body = predicted(site, (files / "defect.png").read_bytes(), threshold=0.4)
    expect(page.locator("#regions .region")).to_have_count(min(500, len(body["regions"])))
    expect(page.locator("#threshold")).to_have_value("0.4")


@pytest.mark.parametrize("name", ["defect.png", "normal.png"])
def test_another_threshold_gives_the_servers_answer(open_page: Open, site: Live, files: Path, name: str) -> None:
    page = open_page(site.url)
    choose(page, files / name)
    answered(page, name)
    requests = list[str]()
    page.on("request", lambda request: requests.append(request.url) if "/v1/models/" in request.url else None)
    data = (files / name).read_bytes()
    for threshold, area in ((0.2, 1), (0.35, 4), (0.5, 1), (0.73, 1), (0.9, 9), (1.0, 1), (0.0, 1)):
        page.fill("#area", str(area))
        page.locator("#threshold").evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", str(threshold)
        )
        body = predicted(site, data, threshold=threshold, min_region_area=area)
        shown = [(f"{region['score']:.3f}", f"{region['area']:,} px") for region in body["regions"]]
        count, total = len(shown), sum(region["area"] for region in body["regions"])
        title = f"{count} region{'s' * (count != 1)}, {total:,} pixel{'s' * (total != 1)}" if count else "No regions"
        expect(page.locator("#regions-title")).to_have_text(title)
        assert sorted(rows(page)) == sorted(shown)
        expect(page.locator("#label")).to_contain_text(body["label"].capitalize())
        expect(page.locator("#gauge-mark")).to_have_attribute("style", f"left: {100 * threshold:g}%;")
    assert requests == []


def shot(page: Page) -> np.ndarray[Any, np.dtype[np.int16]]:
    page.wait_for_timeout(300)  # the canvas is drawn in the next animation frame
    picture = Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("RGB")
    return np.asarray(picture).astype(np.int16)


def slide(page: Page, id: str, value: int) -> None:
    page.locator(f"#{id}").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", str(value)
    )


def test_the_sliders_set_the_opacity_and_the_extent_of_the_heat(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.uncheck("#outlines")
    slide(page, "opacity", 100)
    full = shot(page)
    slide(page, "opacity", 0)
    bare = shot(page)
    assert np.abs(full - bare).max() > 100
    slide(page, "opacity", 100)
    page.check("#split")
    slide(page, "divider", 70)
    half = shot(page)
    divider = round(0.7 * half.shape[1])
    assert np.array_equal(half[:40, : divider - 20], bare[:40, : divider - 20])
    assert np.array_equal(half[:, : divider - 20], bare[:, : divider - 20])
    assert np.array_equal(half[:, divider + 20 :], full[:, divider + 20 :])


def test_outlines_and_tiles_are_drawn_on_request(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    with_outlines = shot(page)
    page.uncheck("#outlines")
    without = shot(page)
    assert not np.array_equal(with_outlines, without)
    page.check("#grid")
    assert not np.array_equal(shot(page), without)


SHAPES = ((96, 160), (97, 171), (64, 64), (40, 200), (333, 65))


def test_tiles_are_the_servers_before_it_answers(open_page: Open, site: Live) -> None:
    page = open_page(site.url)
    models = httpx2.get(f"{site.url}/v1/models").json()["models"]
    compared = 0
    for model in models:
        details = next(each["details"] for each in model["versions"] if each["version"] == model["live"])
        for height, width in SHAPES:
            file = io.BytesIO()
            Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, "png")
            body = predicted(site, file.getvalue(), model["name"], include="tiles")
            if "tiles" not in body:
                continue  # the model refuses this size
            found = page.evaluate(
                """async ([details, width, height]) => {
                    const script = document.querySelector('script[src$="/main.js"]').src;
                    const { tilesOf } = await import(new URL("map/tile-grid.js", script));
                    return tilesOf(details, { width, height });
                }""",
                [details, width, height],
            )
            wanted = [{key: tile[key] for key in ("row", "column", "box")} for tile in body["tiles"]["items"]]
            assert found == wanted, (model["name"], details["tiling"], height, width)
            compared += len(wanted)
    assert compared > 50


def test_a_click_on_a_region_zooms_to_it(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    before = page.locator("#scale").inner_text()
    page.locator("#regions .region").first.click()
    expect(page.locator("#regions .region").first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#scale")).not_to_have_text(before)
    page.click("#fit")
    expect(page.locator("#scale")).to_have_text(before)


def test_downloads_are_the_servers_answers(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    slide(page, "threshold", 0)  # all pixels are anomalous
    pictures = (("Overlay", "overlay.png"), ("Mask", "mask.png"), ("Map", "map.npy"))
    documents = (("JSON", "json"), ("GeoJSON", "geojson"), ("COCO", "coco.json"), ("labelme", "labelme.json"))
    for button, suffix in (*pictures, *documents):
        with page.expect_download() as download:
            page.get_by_role("button", name=button, exact=True).click()
        assert download.value.suggested_filename == f"defect.{suffix}"
        content = Path(download.value.path()).read_bytes()
        if button == "Mask":
            assert (np.asarray(Image.open(io.BytesIO(content))) == 255).all()
        if button == "Map":
            assert np.load(io.BytesIO(content)).shape == (96, 160)
        if button == "JSON":
            assert json.loads(content)["threshold"] == 0
        if button == "GeoJSON":
            (feature,) = json.loads(content)["features"]
            assert feature["properties"]["area"] == 96 * 160
        if button == "COCO":
            assert json.loads(content)["annotations"][0]["segmentation"] == [[0, 0, 160, 0, 160, 96, 0, 96]]
        if button == "labelme":
            assert json.loads(content)["imagePath"] == "defect.png"
    page.get_by_role("button", name="Copy curl").click()
    expect(page.locator("#files-note")).to_contain_text("curl --data-binary '@defect.png' -H")
    expect(page.locator("#files-note")).to_contain_text(f"{site.url}/v1/models/patchcore/predict?version=2&threshold=0")


def test_pictures_wait_for_a_server_that_is_away(open_page: Open, models_dir: Path, files: Path) -> None:
    settings = Settings(models_dir=models_dir, device="cpu", default_model="patchcore")
    with running(settings) as live:
        page = open_page(live.url)
        port = int(live.url.rpartition(":")[2])
    expect(page.locator("#connection")).to_contain_text("does not answer")
    choose(page, files / "defect.png")
    expect(page.locator("#cover .title")).to_have_text("Waiting")
    with running(settings, port):
        answered(page, "defect.png")
        expect(page.locator("#connection")).to_have_text("Ready")


def test_a_picture_that_is_cancelled_can_be_run_again(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    with ExitStack() as full:
        for tiles in (4096, 256, 16, 1):  # each until there is no more room for it
            with suppress(Overloaded):
                while True:
                    full.enter_context(site.services.worker.admit(tiles))
        choose(page, files / "normal.png")
        expect(page.locator("#cover .text")).to_contain_text("Tried again in")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#cover .title")).to_have_text("Cancelled")
    page.locator("#cover").get_by_role("button", name="Run again").click()
    answered(page, "normal.png")


def test_everything_can_be_done_with_the_keyboard_alone(open_page: Open, site: Live) -> None:
    page = open_page(site.url)
    page.wait_for_selector(".example")

    def tab_to(condition: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(f"(() => {{ const at = document.activeElement; return {condition}; }})()"):
                return
        raise AssertionError(condition)

    tab_to("at.matches('.example')")
    page.keyboard.press("Enter")
    answered(page, "defect.png")
    tab_to("at.id === 'threshold'")
    before = page.locator("#threshold-number").input_value()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#threshold-number")).not_to_have_value(before)
    picked = page.locator("#regions .region[aria-pressed='true']")
    while not picked.count():  # the threshold may rebuild the list meanwhile
        tab_to("at.matches('#regions .region')")
        page.keyboard.press("Enter")
    tab_to("at.id === 'canvas'")
    scale = page.locator("#scale").inner_text()
    page.keyboard.press("-")
    expect(page.locator("#scale")).not_to_have_text(scale)
    page.keyboard.press("0")
    page.keyboard.press("n")
    expect(picked).to_have_count(1)
    tab_to("at.id === 'status-toggle'")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_be_visible()


def test_the_status_is_plotted_from_the_servers_measurements(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    page.click("#status-toggle")
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    expect(page.locator("#status .plot")).to_have_count(6)
    memory = page.locator("#status .plot", has_text="Memory").locator(".value")
    expect(memory).to_contain_text("iB")
    expect(page.locator("#status path").first).to_have_attribute("d", re.compile("L"))
    axis = page.locator("#status .plot", has_text="Latency")
    expect(axis.locator(".legend span")).to_have_text(["median", "95th percentile"])
    expect(axis.locator(".span > span").first).to_have_text("2 min ago")
    expect(page.locator("#status .versions tbody tr", has_text="patchcore").first).to_contain_text("%")
    expect(page.locator("#status .note[role=status]")).to_contain_text("pictures since it was started")


def test_models_are_described_and_chosen(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    page.select_option("#model", "patchcore")
    page.select_option("#version", "1")
    page.click("#about")
    panel = page.locator("#model-details")
    shown = "1 of 7 (0.4 to 57.9 %)", "from 12 px", "1.250 to 2.500 (95 %)", "0.13"
    for word in ("patchcore", "64 × 64", "32 × 32", "Calibration", "Trained on", "cpu", *shown):
        expect(panel).to_contain_text(word)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    expect(page.locator("#facts")).to_contain_text("patchcore version 1")


def test_a_shadow_is_described_with_the_model(open_page: Open, site: Live, models_dir: Path) -> None:
    url = f"{site.url}/v1/models/patchcore/shadow"
    page = open_page(site.url)
    page.select_option("#model", "patchcore")
    page.click("#about")
    expect(page.locator("#model-details")).to_contain_text("Calibration")
    expect(page.locator("#model-details")).not_to_contain_text("Shadow")
    page.click("#about")
    assert httpx2.post(url, json={"version": 1, "share": 0.25}).status_code == 200
    try:
        page.click("#about")
        words = "Version 1 runs beside version 2 on 25 % of the requests. Of 0 pictures", "Nothing is decided yet."
        for each in words:
            expect(page.locator("#model-details")).to_contain_text(each)
    finally:
        httpx2.delete(url)
        (models_dir / "patchcore/shadow.json").unlink()  # the repository is that of all tests


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_the_page_is_accessible_and_fits(
    open_page: Open, site: Live, files: Path, width: int, height: int, scheme: str
) -> None:
    page = open_page(site.url, width, height, color_scheme=scheme)
    _accessible(page)
    choose(page, files / "notes.txt", files / "defect.png")
    expect(page.locator("#cover .trouble")).to_be_visible()
    _accessible(page)
    page.locator("#strip .pick").nth(1).click()
    answered(page, "defect.png")
    page.click("#about")
    page.click("#status-toggle")
    expect(page.locator("#status .value").first).not_to_be_empty()
    _accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def _accessible(page: Page) -> None:
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(page, options=options)
    assert found.violations_count == 0, found.generate_report()


def test_a_picture_can_be_run_again_by_another_model(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.select_option("#version", "1")
    page.locator("#files").get_by_role("button", name="Run again").click()
    expect(page.locator("#facts")).to_contain_text("patchcore version 1")
    expect(page.locator("#strip li")).to_have_count(1)


def finished(page: Page, count: int) -> None:
    """Waits until this many pictures of the strip have verdicts."""
    expect(page.locator("#strip .outcome.anomalous, #strip .outcome.normal")).to_have_count(count)


def test_a_threshold_holds_for_all_pictures_and_the_summary_follows(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    expect(page.locator("#batch")).to_be_hidden()  # there is no batch yet
    choose(page, files / "normal.png", files / "notes.txt")
    summary = page.locator("#batch-summary")
    expect(summary).to_have_text("3 pictures: 1 anomalous, 1 normal, 1 failed, threshold 0.5")
    answered(page, "normal.png")
    slide(page, "threshold", 1)
    expect(summary).to_have_text("3 pictures: 0 anomalous, 2 normal, 1 failed, threshold 1")
    page.uncheck("#shared")
    slide(page, "threshold", 0)
    expect(summary).to_have_text("3 pictures: 1 anomalous, 1 normal, 1 failed, different thresholds")
    page.check("#shared")
    page.click("#reset")
    expect(summary).to_have_text("3 pictures: 1 anomalous, 1 normal, 1 failed, threshold 0.5")


def test_pictures_are_filtered_sorted_and_saved(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    Image.open(files / "normal.png").save(files / 'a,"=1.png')
    choose(page, files / 'a,"=1.png', files / "defect.png", files / "normal.png")
    finished(page, 3)
    names = page.locator("#strip .name")
    page.select_option("#sort", "most anomalous first")
    expect(names.first).to_have_text("defect.png")
    page.select_option("#filter", "normal")
    expect(names).to_have_count(2)
    page.select_option("#filter", "all")
    with page.expect_download() as download:
        page.click("#table")
    table = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert {row["picture"] for row in table} == {'a,"=1.png', "defect.png", "normal.png"}
    body = predicted(site, (files / "defect.png").read_bytes())
    assert table[0]["verdict"] == body["label"] and abs(float(table[0]["score"]) - body["score"]) < 1e-6
    busy = {"title": "Busy.", "detail": "the queue is full", "status": 429}
    page.route(
        "**/heatmap?*", lambda route: route.fulfill(status=429, json=busy, headers={"Retry-After": "1"}), times=1
    )
    with page.expect_download() as download:
        page.click("#all-files")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 4 and "1-defect.overlay.png" in archive.namelist()
        assert Image.open(archive.open("1-defect.overlay.png")).size == (160, 96)


def test_all_pictures_are_run_again_by_another_model_beside_the_first(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png", files / "normal.png")
    finished(page, 2)
    page.select_option("#version", "1")
    page.click("#all-again")
    before = page.locator("#strip .outcome", has_text="before")
    expect(before).to_have_count(2)
    expect(page.locator("#facts")).to_contain_text("Before, patchcore version 2: anomalous")
    answered(page, "defect.png")
    page.uncheck("#outlines")
    slide(page, "threshold", 0)  # heat everywhere
    slide(page, "opacity", 0)
    page.check("#split")
    bare = shot(page)
    slide(page, "opacity", 100)
    heat = shot(page)
    middle = heat.shape[1] // 2
    for half in (slice(0, middle - 20), slice(middle + 20, None)):  # each model has heat on its side
        assert np.abs(heat - bare)[:, half].max() > 30
    page.click("#clear")
    expect(page.locator("#strip li")).to_have_count(0)


def kept_thresholds(page: Page) -> list[float]:
    """The thresholds of the results that the browser's database keeps."""
    found: list[float] = page.evaluate(
        """() => new Promise((resolve, reject) => {
          const opening = indexedDB.open("tessera", 1);
          opening.onerror = () => reject(opening.error);
          opening.onsuccess = () => {
            const reading = opening.result.transaction("criteria").objectStore("criteria").getAll();
            reading.onsuccess = () => {
              opening.result.close();
              resolve(reading.result.map(({ threshold }) => threshold));
            };
          };
        })"""
    )
    return found


def test_results_survive_a_reload(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png", files / "normal.png")
    finished(page, 2)
    answered(page, "defect.png")
    before = rows(page)
    slide(page, "threshold", 0)
    wait_until(lambda: rows(page) != before)
    shown = rows(page)
    outcomes = page.locator("#strip .outcome").all_inner_texts()
    wait_until(lambda: kept_thresholds(page) == [0, 0])
    page.reload()
    answered(page, "defect.png")
    expect(page.locator("#strip .outcome")).to_have_text(outcomes)
    expect(page.locator("#threshold")).to_have_value("0")
    assert rows(page) == shown
    page.click("#clear")
    wait_until(lambda: kept_thresholds(page) == [])
    page.reload()
    page.wait_for_selector(".example")
    assert page.locator("#strip li").count() == 0


def test_the_first_screen_has_only_what_can_be_used(open_page: Open, site: Live) -> None:
    page = open_page(site.url)
    expect(page.locator("#cover .title")).to_have_text("Tessera finds what looks different from good pictures")
    for hidden in ("#tools", "#scale-panel", "#files-panel", "#regions-panel", "#batch"):
        expect(page.locator(hidden)).to_be_hidden()


def test_verdicts_that_seem_to_contradict_the_regions_are_explained(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    expect(page.locator("#regions-why")).to_be_hidden()
    page.fill("#area", "20000")  # more than the picture has
    expect(page.locator("#regions-title")).to_have_text("No regions")
    expect(page.locator("#regions-why")).to_contain_text("or only regions smaller than 20,000 pixels are")


def test_on_a_phone_the_verdict_comes_first_and_targets_are_large(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url, 390, 844)
    expect(page.locator("#verdict")).to_be_hidden()
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    label, window = page.locator("#label").bounding_box(), page.locator("#window").bounding_box()
    assert label and window and label["y"] < window["y"]
    expect(page.locator("#opacity")).to_be_hidden()
    page.click("#tools-toggle")
    expect(page.locator("#opacity")).to_be_visible()
    small = page.locator("button:visible, select:visible, input[type=range]:visible").evaluate_all(
        "all => all.filter(each => each.getBoundingClientRect().height < 24).map(each => each.outerHTML)"
    )
    assert small == []


def test_thumbnails_show_portraits_whole(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    Image.open(files / "normal.png").rotate(90, expand=True).save(files / "portrait.png")
    choose(page, files / "portrait.png")
    answered(page, "portrait.png")
    box = page.locator("#strip .thumb canvas").bounding_box()
    assert box and box["height"] <= 54 and abs(box["width"] / box["height"] - 96 / 160) < 0.05


def test_a_large_picture_shows_its_tiles_while_it_is_computed(open_page: Open, site: Live, tmp_path: Path) -> None:
    page = open_page(site.url)
    Image.new("RGB", (1600, 1024), (90, 90, 90)).save(tmp_path / "large.png")
    choose(page, tmp_path / "large.png")
    expect(page.locator("#work")).to_contain_text("1,519 tiles")
    answered(page, "large.png")
    expect(page.locator("#cover")).to_be_hidden()


def test_a_pasted_picture_is_answered(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    page.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }""",
        base64.b64encode((files / "normal.png").read_bytes()).decode(),
    )
    answered(page, "image.png")
    expect(page.locator("#label")).to_contain_text("Normal")


def test_a_selected_region_is_compared_with_normal_pictures(open_page: Open, files: Path, explained_dir: Path) -> None:
    with running(Settings(models_dir=explained_dir, device="cpu")) as live:
        page = open_page(live.url)
        choose(page, files / "defect.png")
        answered(page, "defect.png")
        expect(page.locator("#evidence")).to_be_hidden()
        page.locator("#regions .region").first.click()
        page.locator("#explain").click()
        url = f"{live.url}/v1/models/explained/predict?include=evidence"
        answer = httpx2.post(url, content=(files / "defect.png").read_bytes(), timeout=60).json()
        found = answer["regions"][0]["evidence"]
        expect(page.locator("#evidence-found")).to_contain_text(
            re.compile(r"Its most unusual place is [\d.]+ times as far as the 99.9th percentile of the normal pictures")
        )
        expect(page.locator("#evidence figure")).to_have_count(1 + len(found["nearest"]))
        expect(page.locator("#evidence figure canvas")).to_have_count(4)
        for index, each in enumerate(found["nearest"], start=1):
            place = each["place"]
            expect(page.locator("#evidence figcaption").nth(index)).to_contain_text(
                f"Normal {index}: {each['picture']} at {place['x']}, {place['y']}, distance"
            )
        red, green = page.locator("#evidence canvas").first.evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(48, 48, 1, 1).data].slice(0, 2)"
        )
        assert red - green > 100, "the crop shows the red stain"
        assert Axe().run(page, context="#regions-panel").violations_count == 0


def test_a_model_without_evidence_is_named_on_the_page(open_page: Open, site: Live, files: Path) -> None:
    page = open_page(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.locator("#regions .region").first.click()
    page.locator("#explain").click()
    expect(page.locator("#evidence-found")).to_contain_text("does not record the nearest normal patches of a region")
    expect(page.locator("#evidence figure")).to_have_count(1)

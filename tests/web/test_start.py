"""The page while it starts: requests that are slow or fail, and pictures that arrive meanwhile."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.running import Live
from tests.web.conftest import WAIT_MS
from tests.web.test_page import answered, choose

REQUESTS = {
    "colours": "**/page/colours",
    "readiness": "**/readyz",
    "models": "**/v1/models",
    "examples": "**/page/examples",
    "program": "**/main.js",
}
LISTENS = """() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([], "a.png"));
    return !document.dispatchEvent(new DragEvent("dragover", { dataTransfer, cancelable: true }));
}"""
"""Whether the page accepts files that are dragged over it."""
Enter = Callable[[Page, Path], None]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page. Exceptions fail the test at its end."""
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    errors = list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def _chosen(page: Page, path: Path) -> None:
    choose(page, path)


def _sent(kind: str) -> Enter:
    def send(page: Page, path: Path) -> None:
        content = base64.b64encode(path.read_bytes()).decode()
        page.evaluate(
            """([content, name, kind]) => {
                const data = new DataTransfer();
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                data.items.add(new File([bytes], name, { type: "image/png" }));
                const options = { bubbles: true, cancelable: true };
                document.querySelector("#window").dispatchEvent(
                    kind === "drop"
                        ? new DragEvent(kind, { dataTransfer: data, ...options })
                        : new ClipboardEvent(kind, { clipboardData: data, ...options }),
                );
            }""",
            [content, path.name, kind],
        )

    return send


ENTER: dict[str, Enter] = {"chosen": _chosen, "dropped": _sent("drop"), "pasted": _sent("paste")}


@pytest.mark.parametrize(
    ("slow", "enter"), [*((slow, "chosen") for slow in REQUESTS), ("program", "dropped"), ("models", "pasted")]
)
def test_a_picture_that_arrives_while_the_page_starts_is_answered(
    page: Page, site: Live, files: Path, slow: str, enter: str
) -> None:
    held = list[Route]()
    page.route(REQUESTS[slow], lambda route: held.append(route))
    page.goto(site.url, wait_until="commit" if slow == "program" else "load")
    page.wait_for_function(LISTENS)
    ENTER[enter](page, files / "defect.png")
    if slow in ("readiness", "models"):
        expect(page.locator("#cover")).to_contain_text("waiting for the server's models")
        expect(page.locator("#strip .outcome")).to_have_text("waiting")
    for _ in range(200):  # the request may come later than the picture
        if not held:
            page.wait_for_timeout(50)
    assert held
    page.unroute(REQUESTS[slow])  # the requests that were held go on
    answered(page, "defect.png")
    expect(page.locator("#label")).to_contain_text("Anomalous")
    expect(page.locator("#colours option")).not_to_have_count(0)


@pytest.mark.parametrize(
    ("failing", "status"),
    [("colours", None), ("readiness", None), ("models", None), ("examples", None), ("colours", 500), ("models", 502)],
)
def test_a_request_that_fails_at_the_start_is_repeated(
    page: Page, site: Live, files: Path, failing: str, status: int | None
) -> None:
    failures = 0

    def fail_once(route: Route) -> None:
        nonlocal failures
        failures += 1
        if failures > 1:
            route.continue_()
        elif status is None:
            route.abort()
        else:
            route.fulfill(status=status, body="<h1>Bad gateway</h1>")

    page.route(REQUESTS[failing], fail_once)
    page.goto(site.url)
    choose(page, files / "defect.png")
    answered(page, "defect.png")
    page.wait_for_selector("#connection.ready")
    expect(page.locator("#colours option")).not_to_have_count(0)
    if failing != "examples":
        assert failures > 1


def test_requests_that_go_on_failing_are_repeated_once_a_second_and_the_page_says_so(
    page: Page, site: Live, files: Path
) -> None:
    asked = list[str]()

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(REQUESTS["models"], fail)
    page.goto(site.url)
    expect(page.locator("#connection")).to_contain_text("does not answer")
    choose(page, files / "defect.png")
    expect(page.locator("#cover")).to_contain_text("waiting for the server's models")
    page.wait_for_timeout(3000)
    assert 2 <= len(asked) <= 6
    page.unroute(REQUESTS["models"])
    answered(page, "defect.png")

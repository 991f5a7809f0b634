"""A browser that opens a server's pages; a page that writes errors or warnings to its console fails the test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from app.settings import Settings
from tests.running import Live, running

WAIT_MS = 120_000  # machines can be busy
ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
LOST = "Failed to load resource"  # the browser's message for requests that fail or are refused

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with the tests of this package: while it runs, its event loop runs in this thread and allows no other."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no browser: scripts/install_browser.sh installs one")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(models_dir: Path) -> Iterator[Live]:
    """A server with small models and the project's examples."""
    with running(
        Settings(models_dir=models_dir, examples_dir=EXAMPLES, device="cpu", default_model="patchcore")
    ) as live:
        yield live


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """A function that opens a server's page, and waits until the server is ready.

    Errors and warnings in the console, and exceptions of the page, fail the test at its end.
    """
    contexts, messages = [], list[str]()

    def record(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and LOST not in message.text:
            messages.append(message.text)

    def start(url: str, width: int = 1440, height: int = 900, **options: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]  # the browser's
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("console", record)
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(url)
        page.wait_for_selector("#connection.ready")
        page.wait_for_selector("#model option", state="attached")
        return page

    yield start
    for context in contexts:
        context.close()
    assert messages == []


@pytest.fixture
def files(tmp_path: Path, defect_png: bytes, normal_png: bytes) -> Path:
    """A folder with defect.png, normal.png and notes.txt, which is no picture."""
    (tmp_path / "defect.png").write_bytes(defect_png)
    (tmp_path / "normal.png").write_bytes(normal_png)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path

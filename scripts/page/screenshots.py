"""Takes the screenshots of the page for README, with the demo model and its example pictures.

    python -m scripts.page.screenshots docs/images

Needs Chromium: `scripts/install_browser.sh`. WebP keeps the repository small.
"""

import argparse
import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from app.application import build_app
from app.server import Server, listen
from app.settings import Settings

ROOT = Path(__file__).parent.parent.parent
QUALITY = 85
WAIT_MS = 120_000
SHOTS = {"page-light": ("light", 1280, 800), "page-dark": ("dark", 1280, 1080)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.page.screenshots", description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="the folder to write to")
    given = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("there is no Chromium; scripts/install_browser.sh installs it")
    given.output.mkdir(parents=True, exist_ok=True)
    with _demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        for name, (scheme, width, height) in SHOTS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]  # a str
            page.set_default_timeout(WAIT_MS)
            _show(page, url, with_status=scheme == "dark")
            path = given.output / f"{name}.webp"
            Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=QUALITY, method=6)
            print(path)
        browser.close()


def _show(page: Page, url: str, *, with_status: bool) -> None:
    page.goto(url)
    if with_status:
        page.click("#status-toggle")
    page.get_by_role("button", name="normal.png").click()
    page.wait_for_selector("#regions-panel:not([hidden])")
    page.set_input_files("#choose", str(ROOT / "examples/defect.png"))
    page.wait_for_selector("#regions .region")
    if with_status:
        page.check("#grid")
        page.check("#split")
    page.wait_for_timeout(4000)  # plots show a line after a few polls


@contextmanager
def _demo() -> Iterator[str]:
    settings = Settings(models_dir=ROOT / "models", examples_dir=ROOT / "examples", device="cpu")
    server = Server(build_app(settings), settings)
    with listen("127.0.0.1", 0) as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            host, port = listener.getsockname()
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join()


if __name__ == "__main__":
    main()

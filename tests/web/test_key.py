"""The page of a server with API keys."""

from datetime import UTC, datetime
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from app.keys import ApiKey, Scope, digest_of, new_secret, write_keys
from app.settings import Settings
from tests.running import running
from tests.web.conftest import WAIT_MS
from tests.web.test_page import answered, choose


def test_the_page_asks_for_a_key_once_and_keeps_it_for_the_visit(
    browser: Browser, models_dir: Path, files: Path, tmp_path: Path
) -> None:
    path, secrets = tmp_path / "keys" / "keys.json", [new_secret(), new_secret()]
    keys = [ApiKey("person", Scope.predict, digest_of(secret), datetime.now(UTC)) for secret in secrets]
    write_keys(path, keys[:1])
    with running(Settings(models_dir=models_dir, device="cpu", default_model="patchcore", keys_file=path)) as site:
        context = browser.new_context()
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto(site.url)
        dialog = page.locator("#key")
        expect(dialog).to_be_visible()
        assert not Axe().run(page).response["violations"]
        for _ in range(3):
            page.keyboard.press("Escape")
        expect(dialog).to_be_visible()
        for wrong in ("wrong", "wröng"):
            page.fill("#key-input", wrong)
            page.click("#key-form button")
            expect(page.locator("#key-reason")).to_contain_text("does not know" if wrong == "wrong" else "characters")
        page.fill("#key-input", secrets[0])
        page.click("#key-form button")
        expect(dialog).to_be_hidden()
        page.wait_for_selector("#model option", state="attached")
        page.reload()
        page.wait_for_selector("#model option", state="attached")
        expect(dialog).to_be_hidden()
        write_keys(path, keys[1:])
        ring = site.services.keys
        assert ring is not None
        ring.refresh()
        choose(page, files / "defect.png")
        expect(dialog).to_be_visible()
        page.fill("#key-input", secrets[1])
        page.click("#key-form button")
        answered(page, "defect.png")
        context.close()

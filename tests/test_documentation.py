from pathlib import Path

from app.api.problem_codes import RefusalCode
from scripts.contract.settings import PLACE, text

ROOT = Path(__file__).parent.parent


def test_every_reason_of_a_refused_version_is_documented() -> None:
    text = (ROOT / "docs/errors.md").read_text()
    for code in RefusalCode:
        assert f"`{code}`" in text


def test_the_page_of_settings_is_current() -> None:
    assert PLACE.read_text() == text(), "docs/settings.md is out of date: run `make settings`"


def test_every_setting_is_in_the_readme() -> None:
    from app.settings import Settings

    text = (ROOT / "README.md").read_text()
    for name in Settings.model_fields:
        assert f"`{name}`" in text

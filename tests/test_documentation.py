from pathlib import Path

from app import errors
from app.api.problems import STATUS

ROOT = Path(__file__).parent.parent


def test_every_error_that_a_client_can_cause_is_documented() -> None:
    text = (ROOT / "docs/errors.md").read_text()
    for kind, status in STATUS.items():
        if status != 500 and kind not in (errors.LimitExceeded, errors.NotServed, errors.InvalidTiling):
            assert f"| `{kind.code}` | {status} |" in text
    for refused in errors.InvalidArtifact.__subclasses__():
        assert f"`{refused.code}`" in text


def test_every_setting_is_in_the_readme() -> None:
    from app.settings import Settings

    text = (ROOT / "README.md").read_text()
    for name in Settings.model_fields:
        assert f"`{name}`" in text

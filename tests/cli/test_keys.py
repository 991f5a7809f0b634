"""`tessera keys`, and how a server starts with and without keys."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.application import build_app
from app.cli import main
from app.keys import Scope, digest_of, read_keys
from app.settings import Settings
from app.starting import warn_of_access


def new(path: Path, *words: str) -> int:
    return main(["keys", "new", "--keys_file", str(path), *words])


def test_a_new_key_is_printed_once_and_stored_by_its_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "keys.json"
    assert new(path, "--name", "camera-3", "--scope", "predict", "--days", "2", "--tiles_per_s", "50") == 0
    secret = capsys.readouterr().out.strip()
    (key,) = read_keys(path)
    assert key.digest == digest_of(secret) and secret not in path.read_text() and len(secret) >= 43
    assert (key.name, key.scope, key.tiles_per_s) == ("camera-3", Scope.predict, 50)
    assert key.expires and abs(key.expires - datetime.now(UTC) - timedelta(days=2)) < timedelta(minutes=5)
    main(["keys", "list", "--keys_file", str(path)])
    listed = capsys.readouterr().out
    assert key.id in listed and "camera-3" in listed and secret not in listed


def test_keys_of_one_name_are_revoked_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.json"
    for _ in range(2):
        assert new(path, "--name", "camera-3") == 0
    path.chmod(0o640)
    revoke = ["keys", "revoke", "--keys_file", str(path), "--name", "camera-3"]
    old, other = read_keys(path)
    assert main(revoke) == 1 and old.id in capsys.readouterr().err
    assert main([*revoke, "--id", old.id]) == 0 and read_keys(path) == [other]
    assert path.stat().st_mode & 0o777 == 0o640
    assert main(revoke) == 0 and read_keys(path) == []
    assert main(revoke) == 1


@pytest.mark.parametrize(
    "words",
    [[], ["--name", "a b"], ["--name", ""], ["--name", "a", "--days", "0"], ["--name", "a", "--tiles_per_s", "0"]],
)
def test_wrong_values_are_refused_before_anything_is_written(tmp_path: Path, words: list[str]) -> None:
    assert new(tmp_path / "keys.json", *words) == 2
    assert not (tmp_path / "keys.json").exists()


def test_a_damaged_file_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys.json").write_text("{")
    assert new(tmp_path / "keys.json", "--name", "a") == 1 and "keys.json" in capsys.readouterr().err
    assert (tmp_path / "keys.json").read_text() == "{"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "10.0.0.7", "::"])
@pytest.mark.parametrize("has_keys", [True, False])
def test_a_server_that_others_reach_without_keys_says_so(
    tmp_path: Path, host: str, has_keys: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    new(path, "--name", "a")
    settings = Settings(models_dir=tmp_path, device="cpu", host=host, keys_file=path if has_keys else None)
    warn_of_access(settings, build_app(settings).state.services.keys)
    assert bool(re.search("no API keys", caplog.text)) == (host not in ("127.0.0.1", "localhost") and not has_keys)

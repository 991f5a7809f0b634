"""Keys in files: how they are read again, and what damaged files do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.errors import InvalidKeys
from app.keys import ApiKey, KeyRing, Scope, digest_of, new_secret, parse_keys, read_keys, write_keys

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(name: str = "camera-3", **values: object) -> tuple[str, ApiKey]:
    """A secret and its key."""
    secret = new_secret()
    given = {"scope": Scope.predict, "created": NOW} | values
    return secret, ApiKey(name=name, digest=digest_of(secret), **given)  # type: ignore[arg-type]  # of several types


def test_a_file_holds_every_property_and_no_secret(tmp_path: Path) -> None:
    secret, key = made(expires=NOW + timedelta(days=2), tiles_per_s=2.5)
    write_keys(tmp_path / "keys.json", [key, made(scope=Scope.admin)[1]])
    assert read_keys(tmp_path / "keys.json")[0] == key
    assert secret not in (tmp_path / "keys.json").read_text()


def test_a_ring_finds_each_of_several_keys_of_one_name(tmp_path: Path) -> None:
    (old, one), (new, other) = made(), made()
    ring = KeyRing(None, [one, other])
    assert ring.find(old) is one and ring.find(new) is other
    for wrong in ("", new[:-1], f"{new} ", "ü", one.digest.hex()):
        assert ring.find(wrong) is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path, (old, one), (new, other), (fixed, always) = tmp_path / "keys.json", made(), made(), made("fixed")
    write_keys(path, [one])
    ring = KeyRing(path, [always])
    write_keys(path, [one, other])
    assert ring.find(new) is None
    ring.refresh()
    assert ring.find(old) and ring.find(new)
    write_keys(path, [other])
    ring.refresh()
    assert ring.find(old) is None and ring.find(new) and ring.find(fixed)
    write_keys(path, [])
    ring.refresh()
    assert ring.find(new) is None and ring.find(fixed)


def test_a_secret_of_kubernetes_is_read_again(tmp_path: Path) -> None:
    """Each version of a mounted Secret is a directory, and one link to the newest of them is replaced."""
    (old, one), (new, other) = made(), made()
    for directory, key in (("..1", one), ("..2", other)):
        write_keys(tmp_path / directory / "keys.json", [key])
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    ring = KeyRing(tmp_path / "keys.json")
    assert ring.find(old)
    (tmp_path / "..next").symlink_to("..2")
    (tmp_path / "..next").rename(tmp_path / "..data")
    ring.refresh()
    assert ring.find(old) is None and ring.find(new)


@pytest.mark.parametrize("damage", ["half", "empty", "missing", "other", "directory"])
def test_a_damaged_file_keeps_the_last_keys_and_is_reported_once(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, (secret, key) = tmp_path / "keys.json", made()
    write_keys(path, [key])
    good, ring = path.read_bytes(), KeyRing(path)
    path.unlink()
    if damage == "directory":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"half": good[: len(good) // 2], "empty": b"", "other": b'{"keys": {}}'}[damage])
    for _ in range(3):
        ring.refresh()
    assert ring.find(secret)
    (record,) = (each for each in caplog.records if each.levelname == "ERROR")
    assert str(path) in record.getMessage() and "stay valid" in record.getMessage()
    with pytest.raises(InvalidKeys):
        KeyRing(path)
    if damage == "directory":
        path.rmdir()
    path.write_bytes(good.replace(b"camera-3", b"camera-4"))
    ring.refresh()
    found = ring.find(secret)
    assert found and found.name == "camera-4"


@pytest.mark.parametrize(
    "change",
    [
        ("predict", "root"),
        ("camera-3", "a b"),
        ("camera-3", "a\\n"),
        ('"schema": 1', '"schema": 2'),
        ('"name"', '"nam"'),
    ],
)
def test_invalid_entries_are_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    write_keys(tmp_path / "keys.json", [made()[1]])
    with pytest.raises(InvalidKeys, match=r"keys\.json"):
        parse_keys((tmp_path / "keys.json").read_text().replace(*change), "keys.json")


def test_a_key_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    _, key = made()
    write_keys(tmp_path / "keys.json", [key, key])
    with pytest.raises(InvalidKeys, match="twice"):
        read_keys(tmp_path / "keys.json")

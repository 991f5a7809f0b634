"""Addresses of databases, and what is refused in them without repeating it."""

from pathlib import Path

import pytest

from app.errors import InvalidJobs
from app.store import DatabaseAddress

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("postgresql://tessera@db.example/jobs", "db.example/jobs"),
        ("postgres://tessera@db.example:5433/jobs?sslmode=verify-full", "db.example:5433/jobs"),
        ("postgresql+psycopg://tessera@/jobs?host=/run/postgresql", "/run/postgresql/jobs"),
    ],
)
def test_addresses_of_databases_are_read(text: str, name: str) -> None:
    address = DatabaseAddress.parse(text)
    assert (address.name, address.shared, address.password) == (name, True, None)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (SECRET, "give one such as"),
        (f"postgresql://tessera@db.example:{SECRET}/jobs", "give one such as"),
        (f"mysql://{SECRET}@db.example/jobs", "postgresql://"),
        (f"sqlite:///{SECRET}", "postgresql://"),
        (f"postgresql://tessera:{SECRET}@db.example/jobs", "#password_file"),
        (f"postgresql://tessera:p@{SECRET}@db.example/jobs", "#password_file"),
        (f"postgresql://tessera@db.example/jobs?password={SECRET}", "#password_file"),
        (f"postgresql://tessera@db.example/jobs#{SECRET}", "give one such as"),
        (f"postgresql://tessera@db.example/jobs#password={SECRET}", "password_file, password_env"),
        ("postgresql://tessera@db.example/jobs#password_env=NOT_SET", "NOT_SET"),
        ("postgresql://tessera@db.example/jobs#password_file=/none", "/none: No such file"),
    ],
)
def test_what_an_address_cannot_be_is_said_without_its_secrets(text: str, word: str) -> None:
    with pytest.raises(InvalidJobs) as refused:
        DatabaseAddress.parse(text)
    assert word in str(refused.value) and SECRET not in str(refused.value)


def test_passwords_are_read_when_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("first\n")
    from_file = DatabaseAddress.parse(f"postgresql://one@host/jobs#password_file={tmp_path / 'password'}").password
    (tmp_path / "password").write_text(SECRET)
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    from_variable = DatabaseAddress.parse("postgresql://one@host/jobs#password_env=DATABASE_PASSWORD").password
    assert from_file is not None and from_variable is not None
    assert (from_file(), from_variable()) == (SECRET, SECRET)


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.address.find_spec", lambda name: None)  # stands for a missing package
    with pytest.raises(InvalidJobs, match=r"psycopg\[binary\]"):
        DatabaseAddress.parse("postgresql://tessera@db.example/jobs")

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, said_of_settings, unknown_variables


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_PORT", "9000")
    monkeypatch.setenv("TESSERA_MODELS_DIR", "/srv/models")
    monkeypatch.setenv("TESSERA_DEFAULT_MODEL", "")
    settings = Settings()
    assert (settings.port, settings.models_dir, settings.default_model) == (9000, Path("/srv/models"), None)


def test_arguments_override_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_PORT", "9000")
    assert Settings(port=9001).port == 9001


@pytest.mark.parametrize(("name", "value"), [("port", 70000), ("queue_tiles", 0), ("log_level", "loud"), ("prot", 1)])
def test_invalid_settings_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})


def test_the_message_of_a_wrong_setting_has_its_value_as_a_person_writes_it() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(verdict_record=Path("rec/v.txt"))
    (line,) = said_of_settings(caught.value)
    assert line.endswith("; it is 'rec/v.txt'")


@pytest.mark.parametrize("path", ["tessera", "/", "/tessera/", "//tessera", "/a/../b", "/a b", "/v1", "/docs/tessera"])
def test_invalid_root_paths_are_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="root_path"):
        Settings(root_path=path)


@pytest.mark.parametrize("path", ["", "/tessera", "/line-3/tessera", "/v10", "/.well-known/tessera", "/a/v1"])
def test_valid_root_paths_are_accepted(path: str) -> None:
    assert Settings(root_path=path).root_path == path


@pytest.mark.parametrize("addresses", ["", "*", "10.0.0.7", "10.0.0.0/8, fd00::/8", "127.0.0.1,::1"])
def test_addresses_of_proxies_are_accepted(addresses: str) -> None:
    assert Settings(forwarded_allow_ips=addresses).forwarded_allow_ips == addresses


@pytest.mark.parametrize("addresses", ["proxy.example", "10.0.0.1/8", "*,10.0.0.1", "10.0.0.1;10.0.0.2", "10.0.0.1,"])
def test_invalid_addresses_of_proxies_are_refused(addresses: str) -> None:
    with pytest.raises(ValidationError, match="forwarded_allow_ips"):
        Settings(forwarded_allow_ips=addresses)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


def test_every_setting_is_described_in_one_line() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description and "\n" not in field.description, name


def test_an_uncompressed_picture_of_8192_by_8192_pixels_may_be_posted() -> None:
    assert Settings().max_image_bytes > 8192 * 8192 * 4 + 2**20
    assert Settings().max_pixels == 8192 * 8192


def test_mistyped_variables_are_found() -> None:
    assert unknown_variables(["TESSERA_PROT", "tessera_port", "TESSERA_DEVICE", "HOME"]) == ["TESSERA_PROT"]

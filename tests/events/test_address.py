import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from app.errors import InvalidSink
from app.events import parse_addresses, sinks_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ftp://host/x", "no known kind"),
        ("https://[::1/x", "is no address"),
        ("https://host:99999/x", "is no address"),
        ("https://host/x#secret=1", "no option 'secret'"),
        ("http://host/x#ca_file=x", "no option 'ca_file'"),
        ("mqtt://user:pass@host/x", "password in its address"),
        ("folder:/a, folder:/a", "given twice"),
    ],
)
def test_an_address_that_cannot_work_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidSink, match=words) as caught:
        parse_addresses(text)
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://host/x", "no secret to sign with"),
        ("https://host/x#secret_env=TESSERA_NOT_SET", "is not set"),
        ("https://host/x#secret_file=/nowhere", "cannot be read"),
        ("https:///x#secret_env=HOME", "no host"),
        ("mqtt://host/line/+", "without wildcards"),
        ("mqtt://host", "a topic"),
        ("mqtts://host/topic#ca_file=/nowhere", "no certificates"),
        ("mqtt://user@host/topic#password_file=/nowhere", "mqtt:host/.*password cannot be read"),
        ("mqtt://user@host/topic#password_env=TESSERA_NOT_SET", "mqtt:host/.*is not set"),
        ("folder:", "given by its path"),
        ("folder:/dev/null/verdicts", "/dev/null is not a directory"),
        ("folder:/proc/verdicts", "folder:/proc/verdicts cannot be written: .*name another folder"),
        ("folder:/proc/missing/verdicts", "cannot be written: .*make it, or mount its disk"),
    ],
)
def test_a_sink_that_cannot_work_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidSink, match=words):
        sinks_of(text)


@pytest.mark.parametrize("folder", ["", "missing/verdicts"])
def test_the_check_of_a_folder_leaves_nothing_behind(tmp_path: Path, folder: str) -> None:
    assert sinks_of(f"folder:{tmp_path / folder}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "refused"), [(errno.EACCES, True), (errno.ENOSPC, False), (errno.ESTALE, False)])
def test_a_folder_is_refused_for_errors_that_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, refused: bool
) -> None:
    def touch(path: Path) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(InvalidSink, match="Permission denied") if refused else nullcontext():
        sinks_of(f"folder:{tmp_path}")


def test_names_and_queues_tell_no_secret_and_stay_the_same_when_options_change(tmp_path: Path) -> None:
    first, second = (parse_addresses(f"https://host/services/T0K3N#secret_env={each}")[0] for each in ("A", "B"))
    assert (first.name, first.key) == (second.name, second.key)
    assert first.name.startswith("https:host/")
    assert "T0K3N" not in first.name + first.key


@pytest.mark.parametrize("kind", ["http", "https", "mqtt", "mqtts"])
def test_ports_of_one_host_are_different_sinks_with_different_names(kind: str) -> None:
    text = ", ".join(f"{kind}://user@host{port}/verdicts" for port in ("", ":8001", ":8002"))
    addresses = parse_addresses(text)
    assert len({each.key for each in addresses}) == 3
    places = [each.name.rpartition("/")[0] for each in addresses]
    assert places == [f"{kind}:host", f"{kind}:host:8001", f"{kind}:host:8002"]


def test_the_name_of_an_ipv6_sink_has_brackets_and_the_port() -> None:
    (address,) = parse_addresses("https://[::1]:8443/verdicts")
    assert address.name.startswith("https:[::1]:8443/")

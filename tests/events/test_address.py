from pathlib import Path

import pytest

from app.errors import InvalidSink
from app.events import parse_addresses


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
        ("folder:", "given by its path"),
    ],
)
def test_a_sink_that_cannot_work_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidSink, match=words):
        [address.sink() for address in parse_addresses(text)]


def test_names_and_queues_tell_no_secret_and_stay_the_same_when_options_change(tmp_path: Path) -> None:
    first, second = (parse_addresses(f"https://host/services/T0K3N#secret_env={each}")[0] for each in ("A", "B"))
    assert (first.name, first.key) == (second.name, second.key)
    assert first.name.startswith("https:host/")
    assert "T0K3N" not in first.name + first.key

"""Which pictures are kept."""

import pytest

from app.errors import InvalidPictures
from app.pipeline import Label
from app.service.keeping import Rules, parse_rules
from app.settings import Settings


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("all", Rules(all=True)),
        ("near:0.1, anomalous,every:100", Rules(anomalous=True, near=0.1, every=100)),
        ("every:1", Rules(every=1)),
    ],
)
def test_rules_are_read(text: str, rules: Rules) -> None:
    assert parse_rules(text) == rules and Settings(pictures_keep=text).pictures_keep == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "some",
        "all:1",
        "near",
        "near:",
        "near:0",
        "near:2",
        "near:-1",
        "near:nan",
        "every:0",
        "every:1.5",
        "every:" + "9" * 5000,
    ],
)
def test_wrong_rules_are_refused_with_what_would_work(text: str) -> None:
    with pytest.raises(InvalidPictures, match=r"near:0\.1"):
        parse_rules(text)
    with pytest.raises(ValueError, match="pictures_keep"):
        Settings(pictures_keep=text)


def test_a_rule_that_is_given_twice_is_refused() -> None:
    with pytest.raises(InvalidPictures, match="twice"):
        parse_rules("every:2,every:3")


def test_the_first_reason_is_named() -> None:
    rules = parse_rules("near:0.1,anomalous,every:3")
    normal, anomalous = Label.normal, Label.anomalous
    assert rules.choose(0.58, 0.5, anomalous, 0) == "near:0.1" == rules.choose(0.45, 0.5, normal, 1)
    assert rules.choose(0.9, 0.5, anomalous, 1) == "anomalous"
    assert [rules.choose(0.1, 0.5, normal, number) for number in range(4)] == ["every:3", None, None, "every:3"]
    assert parse_rules("all").choose(0.1, 0.5, normal, 1) == "all"

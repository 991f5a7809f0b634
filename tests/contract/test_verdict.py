from scripts.contract.verdict import SCHEMA, text


def test_the_committed_schema_of_verdicts_is_that_of_the_program() -> None:
    assert SCHEMA.read_text() == text(), "run `make verdicts`, and review the changes"

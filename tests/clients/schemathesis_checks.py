"""What schemathesis checks besides its own; it loads this file by its path."""

from typing import Any

import schemathesis  # type: ignore[import-not-found]  # in an environment of its own


@schemathesis.check  # type: ignore[untyped-decorator]
def no_answer_in_time_only_where_a_time_is_given(_: object, response: Any, case: Any) -> None:
    """Whoever asks for an answer within a microsecond is told, by contract, that there was none; nobody else is."""
    assert response.status_code != 504 or "X-Request-Timeout" in case.headers, "504 without X-Request-Timeout"

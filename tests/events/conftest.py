from dataclasses import dataclass, field

import pytest


@dataclass
class Counted:
    """Counts what happens to events, by sink."""

    delivered: int = 0
    failed: int = 0
    dropped: list[tuple[str, int]] = field(default_factory=list)

    def event_delivered(self, sink: str) -> None:
        self.delivered += 1

    def delivery_failed(self, sink: str) -> None:
        self.failed += 1

    def events_dropped(self, sink: str, reason: str, count: int) -> None:
        self.dropped.append((reason, count))


@pytest.fixture
def counted() -> Counted:
    return Counted()

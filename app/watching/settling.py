"""Which files are complete: a state machine without clocks."""

from collections.abc import Iterable

from app.watching.scan import Seen


class Settling:
    """Waits until a file has kept its size and its time of change for `settle_s`, from scan to scan.

    No notice of the file system is used, because network file systems send none. The time of change is only compared
    with itself: the clock of a file server may differ.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._since: dict[Seen, float] = {}

    def settled(self, found: Iterable[Seen], now_s: float) -> list[Seen]:
        """The files of this scan that are complete, in its order."""
        self._since = {seen: self._since.get(seen, now_s) for seen in found}
        return [seen for seen, since_s in self._since.items() if now_s - since_s >= self._settle_s]

    def wait_again(self, seen: Seen, now_s: float, wait_s: float) -> None:
        """Has a file wait for `wait_s` from now, even if it does not change."""
        if seen in self._since:
            self._since[seen] = now_s + wait_s - self._settle_s

    @property
    def files(self) -> int:
        """The number of files of the last scan."""
        return len(self._since)

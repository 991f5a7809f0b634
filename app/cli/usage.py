"""Errors in the use of the command line."""

MOST_LINES = 8


class UsageError(Exception):
    """The command line or a configuration file cannot be understood; each problem is one line.

    `hint` is one more line that shows what would work.
    """

    def __init__(self, *problems: str, hint: str = "") -> None:
        super().__init__("; ".join(problems))
        self.problems, self.hint = problems, hint

    @property
    def lines(self) -> list[str]:
        """The first problems, and the number of the others."""
        others = len(self.problems) - MOST_LINES
        shown = list(dict.fromkeys(self.problems))[:MOST_LINES]
        return [*shown, f"and {others} more"] if others > 0 else shown

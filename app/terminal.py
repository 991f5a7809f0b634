"""Messages and progress of the command line, on standard error. Results go to standard output."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBars
from rich.progress import TimeRemainingColumn as TimeLeftColumn
from rich.table import Table
from rich.text import Text

from app.shown import printable

LINE_S = 30.0

console = Console(stderr=True, highlight=False)


def print_line(message: str) -> None:
    """Prints a message in one line, in which names of files have no control characters (`printable`)."""
    console.print(Text(printable(message)), soft_wrap=True)


def print_error(message: str) -> None:
    """Prints an error message, as `print_line`."""
    console.print("[bold red]error:[/]", Text(printable(message)), soft_wrap=True)


def print_skipped(path: Path, reason: str) -> None:
    """Prints that a picture is left out, and the reason."""
    console.print("[yellow]left out:[/]", Text(printable(f"{path}: {reason}")), soft_wrap=True)


def add_row(table: Table, *cells: str | Text) -> None:
    """Adds a row to a table. Cells are texts without markup, in which names have no control characters."""
    table.add_row(*(Text(printable(cell)) if isinstance(cell, str) else cell for cell in cells))


def can_ask() -> bool:
    """Whether a person can answer questions: standard input and standard error are a terminal."""
    return console.is_terminal and sys.stdin is not None and sys.stdin.isatty()


def confirmed(question: str) -> bool:
    """Asks a question, and returns whether the answer is yes; no by default, and at the end of the input."""
    console.print(Text(printable(f"{question} [y/N] ")), end="", soft_wrap=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class Bars:
    """Draws a bar for each stage."""

    def __init__(self, bars: ProgressBars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, note=note)
        self._bars.update(self._tasks[stage], completed=done, total=total, note=note)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Draws nothing in the `with` block, in which a person may be asked."""
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()


@contextmanager
def progress_bars() -> Iterator["Bars | Lines"]:
    """Yields a Progress that draws a bar for each stage, or prints lines to a log, which cannot be redrawn."""
    if not console.is_terminal:
        yield Lines()
        return
    columns = TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn()
    times = TimeElapsedColumn(), TimeLeftColumn()
    with ProgressBars(*columns, *times, TextColumn("{task.fields[note]}"), console=console) as bars:
        yield Bars(bars)


class Lines:
    """Prints progress as lines: the first and the last report of each stage, and one every `LINE_S` seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began: dict[str, tuple[float, int]] = {}  # by stage: time of its first report, units done then
        self._last_s = clock()

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        now = self._clock()
        new = stage not in self._began
        start_s, before = self._began.setdefault(stage, (now, done))
        if not new and done < total and now - self._last_s < LINE_S:
            return
        self._last_s = now
        left = ""
        if before < done < total:
            left = f"{timedelta(seconds=round((now - start_s) / (done - before) * (total - done)))} left"
        console.print(Text(", ".join(filter(None, (f"{stage} {done} of {total}", note, left)))), soft_wrap=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Changes nothing: lines are not drawn again."""
        yield

"""What the command line tells people: words and progress on standard error; results go to standard output."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBars
from rich.progress import TimeRemainingColumn as TimeLeftColumn
from rich.text import Text

from app.detectors import Progress

console = Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    """Says on the terminal what went wrong."""
    console.print("[bold red]error:[/]", Text(message), soft_wrap=True)


def say_skipped(path: Path, reason: str) -> None:
    """Says on the terminal that a picture is left out, and why."""
    console.print("[yellow]left out:[/]", Text(f"{path}: {reason}"), soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars on the terminal, one for each stage of the work."""
    columns = TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn()
    times = TimeElapsedColumn(), TimeLeftColumn()
    with ProgressBars(*columns, *times, TextColumn("{task.fields[note]}"), console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int, note: str = "") -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, note=note)
            bars.update(tasks[stage], completed=done, note=note)

        yield report

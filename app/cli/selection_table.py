"""The table of the candidates that `--model auto` compared."""

from rich.table import Table
from rich.text import Text

from app.terminal import console, print_line
from app.training.selection import CLEAR, Selection


def print_selection(selection: Selection, thumbnail: bool) -> None:
    """Prints what was compared, how, and what was chosen. `thumbnail`: whether the model gets thumbnails."""
    table = Table("candidate", box=None, pad_edge=False)
    for column in ("AUROC", "pixels", "behind the best", ""):
        table.add_column(column, justify="right")
    best = max(each.auroc for each in selection.tried)
    for each in sorted(selection.tried, key=lambda record: -record.auroc):
        behind = f"{best - each.auroc:.3f} ± {each.error:.3f}"
        values = (f"{value:.3f}" for value in (each.auroc, each.pixel_auroc))
        table.add_row(Text(each.name), *values, behind, "chosen" if each.chosen else "")
    console.print(table)
    for reason in dict.fromkeys(selection.left_out.values()):
        names = "; ".join(name for name, own in selection.left_out.items() if own == reason)
        print_line(f"left out: {names}: {reason}")
    print_line(
        f"auto: {selection.candidate.name}, {_reason(selection)}; fitted to {selection.fitted} "
        f"pictures in {selection.fit_s:.0f} s, measured on synthetic defects in {selection.measured} others in "
        f"{selection.measure_s:.0f} s",
    )
    if thumbnail:
        print_line("auto: with a thumbnail of each picture; --model.thumbnail false leaves it out")
    elif selection.against_thumbnail is not None:
        print_line(f"auto: without thumbnails, because {selection.against_thumbnail}")


def _reason(selection: Selection) -> str:
    if next(record for record in selection.tried if record.chosen).error == 0:
        return "the best"
    return (
        f"the first in the order of preference that is not clearly worse than the best (by {CLEAR:g} standard errors)"
    )

"""What `tessera certify --search` prints of its trials."""

import sys
from math import inf

from rich.console import Console
from rich.table import Table

from app.cli.certificate import interval_text, size_text
from app.model_search import SEARCH, Found, Wish, choice, front, latest
from app.terminal import add_row, print_line

MOST_ROWS = 24
"""The most rows of the table; the JSON has all."""


def outcome_of(found: Found, name: str) -> str:
    """What the last trial of a configuration has found, in a line."""
    if name in found.left_out:
        return f"{name} is left out: {found.left_out[name]}"
    result = next(each for each in reversed(found.results) if each.name == name)
    took = f"{result.rate:.3g} pictures a second; {result.seconds:.0f} s"
    return f"{name}: {result.grade} (95 % interval {interval_text(result.grade)}), {took}"


def print_results(found: Found, wish: Wish) -> None:
    """Prints the table of all configurations that were tried, and those that were left out."""
    shown = sorted(latest(found.results), key=lambda each: (*each.miss(wish), -each.rate))
    best, chosen = {each.name for each in front(shown, wish)}, choice(found.last, wish)
    title = f"{wish.kind} at {100 * wish.contrast:.3g} % contrast: size in pixels that is found with 95 % probability"
    table = Table("configuration", "size", "95 % interval", "pictures/s", "trained on", "", title=title)
    for column in table.columns[1:5]:
        column.justify = "right"
    for each in shown[:MOST_ROWS]:
        what = "choice" if chosen is not None and each.name == chosen.name else "front" * (each.name in best)
        cells = size_text(each.grade), interval_text(each.grade), f"{each.rate:.3g}", str(each.pictures), what
        add_row(table, each.name, *cells)
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table)
    if len(shown) > MOST_ROWS:
        print_line(f"{len(shown) - MOST_ROWS} others are in {SEARCH}")
    for reason in dict.fromkeys(found.left_out.values()):
        names = "; ".join(name for name, own in found.left_out.items() if own == reason)
        print_line(f"left out: {names}: {reason}")


def not_granted(found: Found, wish: Wish) -> str:
    """Why no result grants the wish, and what would."""
    results = [each for each in latest(found.results) if each.size < inf]
    fast = [each for each in results if each.rate >= wish.rate]
    small = [each for each in results if each.size <= wish.size]
    parts = [f"wish is a {wish}, and none of {len(latest(found.results))} configurations grants it"]
    if fast:
        best = min(fast, key=lambda each: each.size)
        parts.append(f"fast enough, the smallest size is {best.size:.2g} px ({best.name})")
    if small:
        best = max(small, key=lambda each: each.rate)
        parts.append(f"with that size, the fastest takes {best.rate:.2g} pictures a second ({best.name})")
    if not fast and not small:
        parts.append("none that is fast enough finds any size; wish for a higher contrast or a lower rate")
    return "; ".join(parts)

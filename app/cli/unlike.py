"""Names the pictures of a training that look least like the rest, and asks whether to leave them out."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from app.data import DataModule, short_names
from app.terminal import Bars, Lines, can_ask, confirmed, print_line

LISTED = 10
"""The largest number of pictures that are listed one by one."""


class LeftOutByAnswer(Exception):
    """A person has answered that these pictures are left out; the training begins again without them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def name_unlike(data: DataModule, report: Bars | Lines, pictures: Sequence[Path]) -> None:
    """Names the pictures, and asks on a terminal; raises LeftOutByAnswer if they are to be left out."""
    normal = data.find_normal()
    names = short_names(pictures, normal)
    print_line(
        f"note: {len(pictures)} of {len(normal)} pictures look least like the rest, by an iteratively trimmed fit. "
        "They may show defects, which the model would then take for normal:"
    )
    for path in pictures[:LISTED]:
        print_line(f"  {path}")
    if len(pictures) > LISTED:
        print_line(f"  and {len(pictures) - LISTED} more")
    option = shlex.join(["--data.exclude", f"[{', '.join([*data.exclude, *names])}]"])
    if not can_ask():
        print_line(f"note: they are trained on; to leave them out: {option}")
        return
    with report.paused():
        if confirmed("Leave them out, and train again?"):
            raise LeftOutByAnswer(names)
    print_line(f"note: they are trained on; to leave them out later: {option}")


def leave_out(options: Namespace, names: Sequence[str]) -> None:
    """Adds the names to `--data.exclude`."""
    given = options.data.init_args.get("exclude") or []
    before = [given] if isinstance(given, str) else list(given)
    options.data.init_args["exclude"] = [*before, *names]

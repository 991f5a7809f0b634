"""Ends the command line by one line when it is stopped: by Ctrl-C (SIGINT) or by SIGTERM.

Importing torch takes seconds, and a module that is being imported can swallow or print an exception. So the process
ends at once, unless `stoppable` says that there is work to clean up after. Only the standard library is imported here.
"""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
RESUMED = ("train", "backbone")
"""The commands whose work is resumed by the same command."""


class Stopped(KeyboardInterrupt):
    """The process was stopped by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_at_once_when_stopped() -> None:
    """Installs signal handlers that print one line and end the process.

    Without a handler the first process of a container ignores SIGTERM.
    """
    for number in NAMES:
        signal.signal(number, _end)


@contextmanager
def stoppable() -> Iterator[None]:
    """Meanwhile the first signal raises Stopped, and the second ends the process.

    Changes nothing in a process that does not use `end_at_once_when_stopped`.
    """
    if signal.getsignal(signal.SIGINT) is not _end:
        yield
        return
    for number in NAMES:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        end_at_once_when_stopped()


class Ending:
    """`asked` becomes true when the process is asked to end."""

    asked = False


@contextmanager
def ending_gently() -> Iterator[Ending]:
    """Meanwhile the first signal only sets `asked`, and the second ends the process.

    Changes nothing in a process that does not use `end_at_once_when_stopped`.
    """
    ending = Ending()
    before = signal.getsignal(signal.SIGINT)
    if before not in (_end, _stop):
        yield ending
        return

    def ask(number: int, _: FrameType | None) -> None:
        ending.asked = True
        end_at_once_when_stopped()

    for number in NAMES:
        signal.signal(number, ask)
    try:
        yield ending
    finally:
        for number in NAMES:
            signal.signal(number, before)


def last_words(number: int, arguments: Sequence[str]) -> str:
    """What a stopped command says."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    searching = command == "certify" and any(word.partition("=")[0] == "--search" for word in arguments)
    anew = "--resume=false" in arguments or ("--resume", "false") in pairwise(arguments)
    advice = "; the same command goes on" if (command in RESUMED or searching) and not anew else ""
    return f"stopped by {NAMES[signal.Signals(number)]}{advice}"


def exit_status(number: int) -> int:
    """The usual exit status of a process that a signal ended: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + number


def _stop(number: int, _: FrameType | None) -> None:
    end_at_once_when_stopped()
    sys.unraisablehook = _end_if_swallowed
    raise Stopped(number)


def _end_if_swallowed(args: "UnraisableHookArgs") -> None:
    """Python prints and drops an exception of a finaliser or a callback. Then the process would go on."""
    if isinstance(args.exc_value, Stopped):
        _end(args.exc_value.number, None)


def _end(number: int, _: FrameType | None) -> None:
    cursor = "\x1b[?25h" if os.isatty(2) else ""  # progress bars hide it
    try:
        os.write(2, f"{cursor}{last_words(number, sys.argv[1:])}\n".encode())
    finally:
        os._exit(exit_status(number))

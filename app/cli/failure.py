"""Reports why a command failed, in one line each, and the exit status that says so to programs."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir

from app.cli.usage import UsageError
from app.errors import TesseraError
from app.files import said_of_files
from app.interruption import Stopped, exit_status, last_words
from app.shown import printable
from app.terminal import console, print_error, print_line

FAILED = 1
WRONG_USAGE = 2
PIPE_CLOSED = 141  # 128 and the number of SIGPIPE
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""The numbers of the errors of a disk without room, of a quota that is used up, and of a limit on files."""

INTERRUPTED = 2  # the number of SIGINT, for a KeyboardInterrupt of a host program


def report(error: BaseException, words: Sequence[str], *, debug: bool) -> int:
    """Prints the error, with its traceback only for `debug`, and returns the exit status."""
    if debug:
        console.print("".join(traceback.format_exception(error)), markup=False, soft_wrap=True, end="")
    if isinstance(error, KeyboardInterrupt):
        number = error.number if isinstance(error, Stopped) else INTERRUPTED
        print_line(last_words(number, words))
        return exit_status(number)
    if isinstance(error, BrokenPipeError):  # as of `| head`: nobody reads the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    if isinstance(error, UsageError):
        for line in error.lines:
            print_error(line)
        if error.hint:
            print_line(error.hint)
        return WRONG_USAGE
    print_error(message(error))
    return FAILED


def message(error: BaseException) -> str:
    """The message of an error in one line, in the words of the command line."""
    if isinstance(error, OSError):
        text = (
            f"{printable(str(error.filename))}: {error.strerror}" if error.filename and error.strerror else str(error)
        )
        if error.errno in FULL:
            text = f"{text if error.filename else error.strerror}; {_more_room(error)}"
    elif isinstance(error, TesseraError):
        text = said_of_files(str(error))
    elif isinstance(error, MemoryError):
        text = "there is not enough memory; use smaller pictures, or tiles"
    else:
        text = f"{_place(error)}unexpected {type(error).__name__}: {error}; --debug shows the traceback for a report"
    return " ".join(text.split())


def _more_room(error: OSError) -> str:
    """What helps against an error of FULL. An error without a name is that of the standard output."""
    if not error.filename:
        return "the output of the command could not be written; make room where it goes"
    if Path(os.fsdecode(error.filename)).is_relative_to(gettempdir()):
        return "make room there, or set TMPDIR to a folder with more room"
    return "make room there, or name another folder"


def _place(error: BaseException) -> str:
    """The function of Tessera in which an error arose."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/app/" in frame.filename]
    return f"in {frames[-1].filename.rpartition('/app/')[2]}, line {frames[-1].lineno}: " if frames else ""

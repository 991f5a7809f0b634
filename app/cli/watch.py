"""`tessera watch`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

from jsonargparse import ArgumentParser, Namespace

from app.artifacts import load_artifact
from app.cli.predict import add_question, question_of
from app.cli.repository import add_precision, add_repository, read_repository
from app.cli.watched import Watched
from app.data import reason
from app.errors import InvalidDataset, InvalidParameter
from app.events import Outlets, sinks_of
from app.files import locked, sweep
from app.interruption import Ending, ending_gently
from app.pipeline import resolve_device
from app.runtime import RunOptions
from app.terminal import print_error, print_line
from app.watching import Ledger, Seen, Settling, scan

STATE = ".tessera-watch"
"""The folder below the output that holds the ledger, and the queues of the sinks."""
SPOOL_BYTES = 256 * 2**20
PATIENCE = 5
"""A picture that cannot be decoded is read again after this many times `settle_s`, before it is set aside."""
SAID_EVERY_S = 60.0
DELIVERED_WITHIN_S = 10.0
_SLICE_S = 0.1


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Predict the pictures that come into a folder, and write a JSON file, an overlay and a mask for "
        "each. The same command goes on where it was stopped."
    )
    parser.add_argument("pictures", type=Path, help="the folder that cameras write to")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version of the model; by default the newest")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    parser.add_argument(
        "--done", type=Path | None, default=None, help="a folder that finished pictures are moved to; damaged ones too"
    )
    parser.add_argument("--once", type=bool, default=False, help="whether to end when all pictures are done")
    parser.add_argument("--overlays", type=bool, default=True, help="whether to write overlays and masks")
    parser.add_argument("--interval_s", type=float, default=1.0, help="the interval between scans, in seconds")
    parser.add_argument(
        "--settle_s", type=float, default=2.0, help="how long a file must not change to be complete, in seconds"
    )
    parser.add_argument(
        "--on_verdict", type=str, default="", help="where verdicts go, as the setting of tessera serve; see its help"
    )
    add_question(parser)
    add_repository(parser)
    add_precision(parser)
    return parser


def run(options: Namespace) -> int:
    """Predicts until the process is asked to end; with --once until all is done, and 1 if pictures were set aside."""
    _check(options)
    question, sinks = question_of(options), sinks_of(options.on_verdict)
    entry = read_repository(options).find(options.name, options.version)
    with ExitStack() as stack:
        state = options.output / STATE
        state.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(locked(state, wait=False))
        except BlockingIOError as error:
            raise InvalidParameter(
                f"another tessera watch writes to {options.output}; give each folder an output of its own"
            ) from error
        for folder in (options.output, options.done):
            for below in (folder, *folder.rglob("*/")) if folder is not None else ():
                sweep(below)  # what a killed process left
        outlets = Outlets(sinks, state / "spool", SPOOL_BYTES, _Uncounted())
        stack.callback(outlets.stop)
        device = resolve_device(options.device)
        artifact = load_artifact(entry, device, RunOptions(precision=options.precision, batch_tiles=0))
        ledger, settling = Ledger(state / "ledger.sqlite"), Settling(options.settle_s)
        stack.callback(ledger.close)
        patience_s = PATIENCE * options.settle_s
        watched = Watched(
            *(options.pictures, options.output, options.done, artifact, question, options.overlays),
            *(ledger, outlets, settling, patience_s, options.once),
        )
        outlets.start()
        ending = stack.enter_context(ending_gently())
        print_line(f"watching {options.pictures} with {entry.name}, version {entry.version}")
        _watch(watched, options, ending)
        if options.once:
            outlets.wait_until_delivered(DELIVERED_WITHIN_S)
        for each in outlets.waiting():
            if each.count:
                print_line(f"{each.count} verdicts wait for {each.sink}; the same command sends them")
    line = f"{watched.predicted} pictures predicted, {watched.set_aside} set aside"
    line += f", {watched.left} left" if watched.left else ""
    print_line(f"{line}{'; the same command goes on' if ending.asked else ''}")
    return 1 if watched.left or (options.once and watched.set_aside) else 0


def _check(options: Namespace) -> None:
    """Raises InvalidParameter or InvalidDataset for folders and times that cannot work."""
    folder, output = options.pictures, options.output
    if not folder.is_dir():
        raise InvalidDataset(f"there is no folder {folder}")
    if folder.resolve().is_relative_to(output.resolve()):
        raise InvalidParameter(f"--output {output} contains the pictures; give another one, such as {folder}-results")
    if options.done is not None and folder.resolve().is_relative_to(options.done.resolve()):
        raise InvalidParameter(f"--done {options.done} contains the pictures; give another one, such as {folder}-done")
    for name in ("interval_s", "settle_s"):
        if not 0 < options[name] <= 3600:
            raise InvalidParameter(f"{name} is {options[name]:g}; use more than 0 and at most 3600 seconds")


def _watch(watched: Watched, options: Namespace, ending: Ending) -> None:
    left_out = [folder.resolve() for folder in (options.output, options.done) if folder is not None]
    said_s = float("-inf")
    while not ending.asked:
        began_s = monotonic()
        found, away = _scan(watched.folder, left_out)
        if away and monotonic() >= said_s + SAID_EVERY_S:
            said_s = monotonic()
            for folder, error in away.items():
                print_error(f"{folder} cannot be read: {reason(error)}; it is waited for")
        if found is None:
            _sleep(options.interval_s, ending)
            continue
        scan_s = monotonic() - began_s
        watched.forget_others(found)
        left = [seen for seen in found if not watched.is_finished(seen)]
        if options.once and not left:
            watched.left += len(away)
            return
        _handle(watched, watched.settling.settled(left, began_s), max(options.interval_s, 4 * scan_s), ending)
        _sleep(max(options.interval_s, 4 * scan_s) - (monotonic() - began_s), ending)


def _scan(folder: Path, left_out: Sequence[Path]) -> tuple[list[Seen] | None, dict[Path, OSError]]:
    """The pictures, None if the folder cannot be read, such as a network share that is away; and unreadable folders."""
    try:
        found = scan(folder, left_out)
    except OSError as error:
        return None, {folder: error}
    return found.pictures, found.unreadable


def _handle(watched: Watched, ready: list[Seen], most_s: float, ending: Ending) -> None:
    """Predicts complete pictures, until it is time for the next scan."""
    until_s = monotonic() + most_s
    for seen in ready:
        watched.handle(seen)
        if ending.asked or monotonic() >= until_s:
            return


def _sleep(seconds: float, ending: Ending) -> None:
    """Sleeps in slices: after a signal, Python goes on with a sleep."""
    until_s = monotonic() + seconds
    while not ending.asked and (left_s := until_s - monotonic()) > 0:
        sleep(min(left_s, _SLICE_S))


class _Uncounted:
    """Counts no events: the command has no metrics. The log says what is dropped."""

    def event_delivered(self, sink: str) -> None: ...

    def delivery_failed(self, sink: str) -> None: ...

    def events_dropped(self, sink: str, reason: str, count: int) -> None: ...

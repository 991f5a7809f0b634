"""`tessera certify --search`."""

import hashlib
import json
import sys
from dataclasses import asdict, fields, replace
from math import inf
from pathlib import Path
from time import monotonic

import torch
from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from app.application import MOST_CPU_LANES
from app.artifacts import ModelRepository, read_manifest
from app.cli.certificate import certify_version, interval_text, size_text
from app.cli.pinned import pin_notes
from app.cli.training_summary import training_summary
from app.cli.usage import UsageError
from app.data import GOOD, DataModule, LabelledPicture
from app.errors import InvalidParameter
from app.evaluation.certificate import Plan
from app.files import replacing
from app.model_search import (
    BACKBONES,
    DETECTORS,
    FRONT,
    SEARCH,
    Configuration,
    Found,
    Machine,
    Search,
    Space,
    Trials,
    Wish,
    choice,
    configurations,
    draw_front,
    front,
    latest,
    read_search,
    read_wish,
    search_pictures,
    write_search,
)
from app.sizing import Place
from app.terminal import add_row, print_line, print_skipped, progress_bars
from app.training import Automatic, train
from app.training.time_left import TimeLeft
from app.version import VERSION

BUDGET_S = 1800.0
MOST_ROWS = 24
"""The most rows of the table; the JSON has all."""

DEFAULTS = Space()
OWN = "wish", "pixels_per_mm"
"""Options that have no meaning without --search."""


def add_search(parser: ArgumentParser) -> None:
    """Adds the options of the search."""
    for name, text in (
        (
            "search",
            "whether to try tile sizes, strides, halos, scales of pictures, detectors and backbones by short trials on "
            "the normal pictures, and to train the one that grants the wish as the next version, with its certificate",
        ),
        ("only_show", "whether the search only shows what it finds, and trains no version"),
    ):
        parser.add_argument(f"--{name}", type=bool, nargs="?", const=True, default=False, help=text)
    parser.add_argument(
        "--wish",
        type=str | None,
        default=None,
        help="what the model must find with 95 % probability, with --search: a size and a contrast, such as 6px@10%, "
        "or 0.3mm@10% with --pixels_per_mm; of a scratch, or of the kind before it, such as 'pit 12px@30%'",
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=0.0,
        help="how many pictures a second this machine must take, with short queues, as `tessera estimate` counts "
        "them; 0: any speed",
    )
    parser.add_argument(
        "--pixels_per_mm", type=float | None, default=None, help="the scale of the pictures, for a wish in mm"
    )
    parser.add_argument(
        "--false_positive_rate", type=float, default=0.05, help="the rate of false alarms of the models that are tried"
    )
    lists = {
        "detectors": (list[str], f"the detectors to try: {'; '.join(DETECTORS)}"),
        "backbones": (list[str], f"the backbones to try, such as {' and '.join(BACKBONES)}"),
        "tile_sizes": (list[int], "the edges of tiles to try, in pixels"),
        "overlaps": (list[float], "the shares of a tile that the next one shows again, which set strides"),
        "halos": (list[int], "the widths in pixels of the context around each tile"),
        "scales": (list[float], "the factors by which pictures of one size are made smaller before they are tiled"),
    }
    for name, (kind, text) in lists.items():
        parser.add_argument(
            f"--{name}", type=kind, default=list(getattr(DEFAULTS, name)), help=f"with --search: {text}"
        )


def require_search(options: Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    if not options.search:
        given = [f"--{name}" for name in OWN if options[name] is not None]
        given += [f"--{name}" for name in ("only_show", "rate") if options[name]]
        if given:
            raise UsageError(f"{', '.join(given)}: only with --search", hint="add --search, or leave it out")
    elif options.wish is None:
        raise UsageError("--search needs --wish", hint="example: --search --wish 6px@10% --rate 8 --budget 30m")
    elif options.version is not None:
        raise UsageError("--search makes a new version; leave out --version")


def search(options: Namespace, data: DataModule, device: torch.device, plan: Plan, budget_s: float | None) -> int:
    """Runs the search, prints its table, and trains and certifies the configuration that was chosen.

    What was measured is written after each trial, so that it is kept when the search is stopped. Returns 1 if the
    trained version does not grant the wish. Raises subclasses of TesseraError.
    """
    repository = ModelRepository(options.models_dir)
    repository.next_version(options.name)  # raises for a bad name before the search
    wish = read_wish(options.wish, options.rate, options.pixels_per_mm)
    space = Space(**{field.name: tuple(options[field.name]) for field in fields(Space)})
    every, calibration = configurations(space), Automatic(false_positive_rate=options.false_positive_rate)
    pictures = search_pictures(data, print_skipped)
    wish.require_room(pictures.shortest_edge)
    output: Path = options.output or Path(f"{options.name}-search")
    output.mkdir(parents=True, exist_ok=True)
    processors = torch.get_num_threads()
    machine = Machine(device, options.precision or "auto", processors, min(processors, MOST_CPU_LANES))
    trials = Trials(data, pictures, wish, machine, calibration, options.seed, output)
    key = _key(trials)
    found = read_search(output / SEARCH, key) or Found()
    print_line(
        f"searching for a {wish}: {len(every)} configurations, {len(pictures.fit)} pictures to train on, "
        f"{len(pictures.marked)} to draw marks into"
    )
    if found.results:
        print_line(f"going on after {len(found.results)} trials of {output / SEARCH}")

    def changed(found: Found, name: str) -> None:
        print_line(_outcome(found, name))
        write(found)

    def write(found: Found) -> None:
        write_search(output / SEARCH, wish, key, found, asdict(Place.here(device)))
        if found.results:
            with replacing(output / FRONT) as temporary:
                temporary.write_text(draw_front(found.results, wish))

    searching = Search(every, wish, budget_s or BUDGET_S, trials.result, changed, monotonic)
    try:
        with progress_bars() as report:
            searching.run(found, report)
    finally:  # also after Ctrl-C
        if found.results:
            write(found)
            _show(found, wish)
            print_line(f"wrote {output / SEARCH} and {output / FRONT}")
    chosen = choice(found.last, wish)
    if chosen is None:
        raise InvalidParameter(_not_granted(found, wish))
    print_line(f"choice: {chosen.name}")
    if options.only_show:
        return 0
    own = next(each for each in every if each.name == chosen.name)
    return _train(options, trials, own, repository, plan, output)


def _key(trials: Trials) -> str:
    """Differs for searches whose results do not belong together."""
    data, wish = trials.data, trials.wish
    parts = (
        VERSION,
        trials.pictures.fingerprint,
        data.image_size,
        wish.kind,
        wish.contrast,
        trials.machine.precision,
        asdict(Place.here(trials.machine.device)),
        trials.calibration.false_positive_rate,
        trials.seed,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _outcome(found: Found, name: str) -> str:
    """What the last trial of a configuration has found, in a line."""
    if name in found.left_out:
        return f"{name} is left out: {found.left_out[name]}"
    result = next(each for each in reversed(found.results) if each.name == name)
    took = f"{result.rate:.3g} pictures a second; {result.seconds:.0f} s"
    return f"{name}: {result.grade} (95 % interval {interval_text(result.grade)}), {took}"


def _show(found: Found, wish: Wish) -> None:
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


def _not_granted(found: Found, wish: Wish) -> str:
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


def _train(
    options: Namespace, trials: Trials, chosen: Configuration, repository: ModelRepository, plan: Plan, output: Path
) -> int:
    """Trains the choice on all pictures to train on, and certifies it."""
    started_s, wish, pictures = monotonic(), trials.wish, trials.pictures
    with progress_bars() as report:
        recipe = replace(trials.recipe(chosen, pictures, trials.data.num_workers), report=print_skipped)
        entry = train(recipe, trials.plan(recipe), repository, options.name, trials.machine.device, TimeLeft(report))
    print_line(f"wrote version {entry.version} of {entry.name} to {entry.path}")
    for line in (*pin_notes(entry, repository), *training_summary(read_manifest(entry.path), monotonic() - started_s)):
        print_line(line)
    artifact, figures = trials.machine.load_measured(entry)
    rate = trials.machine.pictures_per_s(artifact, figures, pictures)
    contrasts = tuple(sorted({*plan.contrasts, wish.contrast}))
    unseen = [LabelledPicture(path, GOOD, None) for path in pictures.marked]
    record = certify_version(entry, artifact, trials.data, unseen, replace(plan, contrasts=contrasts), output)
    grade = next(each for each in record.grades if (each.kind, each.contrast) == (wish.kind, wish.contrast))
    got = f"{grade} (95 % interval {interval_text(grade)}), {rate:.3g} pictures a second"
    if grade.smallest is not None and grade.smallest <= wish.size and rate >= wish.rate:
        print_line(f"the wish is granted: {got}")
        return 0
    print_line(f"note: version {entry.version} does not grant the wish: {got}; it is kept, and its certificate says so")
    return 1

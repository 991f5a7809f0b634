"""`tessera certify --search`: searches for a configuration, trains it, and certifies it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from time import monotonic

import torch
from jsonargparse import Namespace

from app.application import MOST_CPU_LANES
from app.artifacts import ModelRepository, read_manifest
from app.cli.certificate import certify_version, interval_text
from app.cli.pinned import pin_notes
from app.cli.search_results import not_granted, outcome_of, print_results
from app.cli.training_summary import training_summary
from app.data import GOOD, DataModule, LabelledPicture
from app.errors import InvalidParameter
from app.evaluation.certificate import Plan
from app.files import replacing
from app.model_search import (
    FRONT,
    SEARCH,
    Configuration,
    Found,
    Machine,
    Search,
    Space,
    Trials,
    choice,
    configurations,
    draw_front,
    read_search,
    read_wish,
    search_pictures,
    write_search,
)
from app.sizing import Place
from app.terminal import print_line, print_skipped, progress_bars
from app.training import Automatic, train
from app.training.time_left import TimeLeft
from app.version import VERSION

BUDGET_S = 1800.0


def search(options: Namespace, data: DataModule, device: torch.device, plan: Plan, budget_s: float | None) -> int:
    """Runs the search, prints its table, and trains and certifies the configuration that was chosen.

    What was measured is written after each trial, so that it is kept when the search is stopped. Returns 1 if the
    trained version does not grant the wish. Raises subclasses of TesseraError.
    """
    repository = ModelRepository(options.models_dir)
    repository.next_version(options.name)  # raises for a bad name before the search
    space = Space(**{field.name: tuple(options[field.name]) for field in fields(Space)})
    every = configurations(space)
    trials = _trials(options, data, device)
    found = _searched(trials, every, budget_s or BUDGET_S)
    chosen = choice(found.last, trials.wish)
    if chosen is None:
        raise InvalidParameter(not_granted(found, trials.wish))
    print_line(f"choice: {chosen.name}")
    if options.only_show:
        return 0
    own = next(each for each in every if each.name == chosen.name)
    return _train(options, trials, own, repository, plan)


def _trials(options: Namespace, data: DataModule, device: torch.device) -> Trials:
    """What the trials need; makes the folder of their results."""
    wish = read_wish(options.wish, options.rate, options.pixels_per_mm)
    pictures = search_pictures(data, print_skipped)
    wish.require_room(pictures.shortest_edge)
    output: Path = options.output or Path(f"{options.name}-search")
    output.mkdir(parents=True, exist_ok=True)
    processors = torch.get_num_threads()
    machine = Machine(device, options.precision or "auto", processors, min(processors, MOST_CPU_LANES))
    calibration = Automatic(false_positive_rate=options.false_positive_rate)
    return Trials(data, pictures, wish, machine, calibration, options.seed, output)


def _searched(trials: Trials, every: Sequence[Configuration], budget_s: float) -> Found:
    """What the trials have found, earlier ones of the same search included; prints and writes it."""
    wish, pictures, output, key = trials.wish, trials.pictures, trials.folder, _key(trials)
    found = read_search(output / SEARCH, key) or Found()
    print_line(
        f"searching for a {wish}: {len(every)} configurations, {len(pictures.fit)} pictures to train on, "
        f"{len(pictures.marked)} to draw marks into"
    )
    if found.results:
        print_line(f"going on after {len(found.results)} trials of {output / SEARCH}")

    def changed(found: Found, name: str) -> None:
        print_line(outcome_of(found, name))
        write(found)

    def write(found: Found) -> None:
        write_search(output / SEARCH, wish, key, found, asdict(Place.here(trials.machine.device)))
        if found.results:
            with replacing(output / FRONT) as temporary:
                temporary.write_text(draw_front(found.results, wish))

    searching = Search(every, wish, budget_s, trials.result, changed, monotonic)
    try:
        with progress_bars() as report:
            searching.run(found, report)
    finally:  # also after Ctrl-C
        if found.results:
            write(found)
            print_results(found, wish)
            print_line(f"wrote {output / SEARCH} and {output / FRONT}")
    return found


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


def _train(options: Namespace, trials: Trials, chosen: Configuration, repository: ModelRepository, plan: Plan) -> int:
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
    record = certify_version(entry, artifact, trials.data, unseen, replace(plan, contrasts=contrasts), trials.folder)
    grade = next(each for each in record.grades if (each.kind, each.contrast) == (wish.kind, wish.contrast))
    got = f"{grade} (95 % interval {interval_text(grade)}), {rate:.3g} pictures a second"
    if grade.smallest is not None and grade.smallest <= wish.size and rate >= wish.rate:
        print_line(f"the wish is granted: {got}")
        return 0
    print_line(f"note: version {entry.version} does not grant the wish: {got}; it is kept, and its certificate says so")
    return 1

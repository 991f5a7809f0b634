"""`tessera teach`."""

from functools import partial

from jsonargparse import ArgumentParser, Namespace

from app.artifacts import Entry, ModelRepository, load_artifact, promote
from app.cli.kept_pictures import add_pictures, open_pictures
from app.cli.repository import add_repository, read_repository
from app.cli.usage import UsageError
from app.pipeline import resolve_device
from app.teaching.proof import ProofResult, sentences_of
from app.teaching.taught import Taught, teach, write_candidate
from app.terminal import print_line, progress_bars


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Teach a model by the reviewed pictures that a server keeps: what was called harmless becomes "
        "normal, and confirmed defects set what must be found. The candidate is replayed on all kept pictures beside "
        "the version that serves. Unless the proof refuses it, the version that serves is pinned, and the candidate is "
        "written as a version that does not serve. The server may run meanwhile."
    )
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    add_pictures(parser)
    parser.add_argument(
        "--most_lost", type=int, default=0, help="the number of confirmed defects that the candidate may lose"
    )
    parser.add_argument(
        "--false_positive_rate",
        type=float | None,
        default=None,
        help="the rate of false alarms that the new thresholds aim at, more than 0 and less than 1; by default that of "
        "the training",
    )
    parser.add_argument(
        "--second_stage",
        type=bool,
        default=True,
        help="whether confirmed defects may add a second stage; without it, they only set the thresholds",
    )
    parser.add_argument(
        "--serve",
        type=bool,
        default=False,
        help="serve the candidate if nothing speaks against it; without it, the command that serves it is printed",
    )
    add_repository(parser)
    return parser


def run(options: Namespace) -> int:
    """Teaches, proves and writes; returns 1 if the proof has refused the candidate, or if `--serve` did not serve it.

    Raises UsageError, and what `teach` and `write_candidate` raise.
    """
    if options.most_lost < 0:
        raise UsageError(f"--most_lost is {options.most_lost}, and must be 0 or more", hint="example: --most_lost 0")
    rate = options.false_positive_rate
    if rate is not None and not 0 < rate < 1:
        raise UsageError(
            f"--false_positive_rate is {rate}; use more than 0 and less than 1",
            hint="example: --false_positive_rate 0.02",
        )
    device, repository = resolve_device(options.device), read_repository(options)
    repository.find(options.name)
    store = open_pictures(options, f"tessera teach --name {options.name}")
    try:
        with progress_bars() as report:
            taught = teach(
                repository,
                options.name,
                store,
                device=str(device),
                most_lost=options.most_lost,
                false_positive_rate=rate,
                second_stage=options.second_stage,
                progress=report,
            )
        for line in (*taught.learned.notes, f"learned in {taught.learned.seconds:.1f} s", *sentences_of(taught.proof)):
            print_line(line)
        if taught.proof.result is ProofResult.refused:
            print_line("nothing was written")
            return 1
        entry = write_candidate(repository, taught)
    finally:
        store.close()
    print_line(f"wrote version {entry.version} of {entry.name} to {entry.path}; version {taught.served.version} serves")
    return _serve(repository, taught, entry, str(device)) if options.serve else _advise(taught, entry)


def _serve(repository: ModelRepository, taught: Taught, entry: Entry, device: str) -> int:
    """Serves the candidate if the proof is sound."""
    if taught.proof.result is not ProofResult.sound:
        print_line("it does not serve: a second person must look at the pictures that are named above")
        _advise(taught, entry)
        return 1
    promote(repository, entry.name, entry.version, partial(load_artifact, device=device))
    print_line(
        f"version {entry.version} of {entry.name} serves; to go back: tessera models rollback --name {entry.name}"
    )
    return 0


def _advise(taught: Taught, entry: Entry) -> int:
    """Prints the commands that serve the candidate, and that remove it."""
    named = f"--name {entry.name} --version {entry.version}"
    print_line(
        f"to serve it: tessera models promote {named}; then to go back: tessera models rollback --name {entry.name}"
    )
    print_line(f"to remove it: tessera models delete {named}")
    return 0

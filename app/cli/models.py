"""`tessera models`."""

import sys
from functools import partial

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.artifacts import (
    PICTURES,
    CertificateRecord,
    Entry,
    Manifest,
    ModelRepository,
    Promoted,
    copy,
    delete,
    live_version,
    load_artifact,
    promote,
    pull,
    push,
    read_certificate,
    read_with_digest,
    rollback,
    unpin,
)
from app.cli.repository import add_repository, read_repository
from app.cli.shadow import shadow
from app.cli.usage import UsageError
from app.errors import InvalidServing, TesseraError
from app.pipeline import resolve_device
from app.remote import RemoteFolder
from app.terminal import add_row, print_line

DIGITS = 12
"""The number of digits of a digest that are shown: enough to distinguish contents."""

ACTIONS = {
    "list": "shows the versions and which of them serve",
    "verify": "loads the versions as a server does",
    "promote": "makes a version serve (by default the newest)",
    "pin": "keeps a version serving (by default the one that serves)",
    "rollback": "brings back the version that served before",
    "unpin": "lets the newest version serve",
    "copy": "writes a version again, with a new number",
    "delete": "removes a version that does not serve",
    "shadow": "starts, stops or shows a candidate that servers run beside the version that serves",
    "push": "copies a model to a bucket, with what serves",
    "pull": "copies a model from a bucket, with what serves",
}


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="List or verify the models of a repository, or choose the version that serves.")
    known = "; ".join(f"{name} {what}" for name, what in ACTIONS.items())
    parser.add_argument("action", choices=tuple(ACTIONS), help=known)
    parser.add_argument("--name", type=str, default=None, help="the model; list and verify: only this model")
    parser.add_argument("--version", type=int, default=None, help="the version of the model")
    parser.add_argument("--to", type=str, default=None, help="copy: the name of the copy; by default that of the model")
    parser.add_argument(
        "--bucket", type=str, default=None, help="push and pull: the URL of a repository, as s3://BUCKET/PREFIX"
    )
    parser.add_argument(
        "--share", type=float, default=1.0, help="shadow: the share of the requests that are compared, over 0 up to 1"
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=PICTURES,
        help="shadow: the number of compared pictures after which the comparison ends without a proven difference",
    )
    parser.add_argument("--stop", type=bool, default=False, help="shadow: stops the comparison; its counts stay")
    parser.add_argument(
        "--history",
        type=bool,
        default=False,
        help="list: shows who changed what serves, who wrote and deleted versions, and when",
    )
    add_repository(parser)
    return parser


def run(options: Namespace) -> int:
    """Lists, verifies or changes; returns 1 if a listed version is refused."""
    if options.action not in ("list", "verify"):
        _change(options)
        return 0
    repository = read_repository(options)
    entries = repository.entries()
    if options.name is not None:
        entries = [entry for entry in entries if entry.name == repository.newest(options.name).name]
    if options.history:
        _print(_history(repository, sorted({entry.name for entry in entries})))
        return 0
    return _list(repository, entries, options)


def _change(options: Namespace) -> None:
    """Changes which version serves, or which versions exist, and prints what is so now."""
    name, version = options.name, options.version
    needed = ["name"] + ["version"] * (options.action in ("copy", "delete"))
    needed += ["bucket"] * (options.action in ("push", "pull"))
    missing = [option for option in needed if options[option] is None]
    if missing:
        raise UsageError(
            f"`models {options.action}` needs --{missing[0]}",
            hint="example: tessera models promote --name surface --version 2",
        )
    repository = ModelRepository(options.models_dir) if options.action == "pull" else read_repository(options)
    verify = partial(load_artifact, device=resolve_device(options.device))
    if options.action in ("promote", "pin"):
        text = _promoted(name, promote(repository, name, version, verify, options.action))
    elif options.action == "rollback":
        before, entry = rollback(repository, name, verify)
        text = f"version {entry.version} of {name} serves again, and is pinned; before: version {before}"
    elif options.action == "unpin":
        pinned, live = unpin(repository, name), live_version(repository, name)
        was = "no version was pinned" if pinned is None else f"version {pinned} was pinned"
        text = f"the newest version of {name} serves, version {live}; {was}"
    elif options.action == "copy":
        entry = copy(repository, name, version, options.to)
        text = f"version {version} of {name} was copied; the copy is version {entry.version} of {entry.name}"
    elif options.action == "shadow":
        text = shadow(repository, options, verify)
    elif options.action in ("push", "pull"):
        text = _transferred(repository, options)
    else:
        delete(repository, name, version)
        text = f"version {version} of {name} is deleted; its number is not used again"
    print_line(text)


def _transferred(repository: ModelRepository, options: Namespace) -> str:
    """Copies a model to a bucket or from it; returns what was copied."""
    remote = RemoteFolder(options.bucket)
    transfer, end = (push, remote.url) if options.action == "push" else (pull, str(repository.root))
    copied = ", ".join(map(str, transfer(repository, options.name, remote)))
    return f"copied versions of {options.name}: {copied or 'none'}; what serves is the same in {end} now"


def _promoted(name: str, chosen: Promoted) -> str:
    """What is so after a version was chosen to serve."""
    version = f"version {chosen.entry.version} of {name}"
    if not chosen.changed:
        return f"{version} serves already, and is pinned; nothing has changed"
    if chosen.before == chosen.entry.version:
        return f"{version} serves, as before, and is pinned now"
    return f"{version} serves, and is pinned; before: version {chosen.before}"


def _list(repository: ModelRepository, entries: list[Entry], options: Namespace) -> int:
    device = resolve_device(options.device)
    columns = "model", "version", "serving", "detector", "tile", "stride", "image size", "trained on", "quality"
    table, failed = Table(*columns, "digest", "state"), 0
    for entry in entries:
        try:
            serving = _serving(repository, entry)
            if options.action == "verify":
                artifact = load_artifact(entry, device)
                manifest, found, state = artifact.manifest, artifact.digest, "verified"
                certificate = artifact.certificate
            else:
                (manifest, found), state = read_with_digest(entry.path), "not verified"
                certificate = read_certificate(entry.path, found)
            add_row(
                table, entry.name, str(entry.version), serving, *_summary(manifest, certificate), found[:DIGITS], state
            )
        except TesseraError as error:
            failed += 1
            shown = "not known" if isinstance(error, InvalidServing) else serving
            text = Text(f"{error.code}: {error}", style="red")
            add_row(table, entry.name, str(entry.version), shown, *[""] * 7, text)
    _print(table)
    return 1 if failed else 0


def _serving(repository: ModelRepository, entry: Entry) -> str:
    live, pinned = live_version(repository, entry.name), repository.serving(entry.name).pinned
    if entry.version == live:
        return "live, pinned" if pinned else "live"
    return "candidate" if live is None or entry.version > live else "earlier"


def _history(repository: ModelRepository, names: list[str]) -> Table:
    """What changed which version serves, and which versions exist, by model and time."""
    table = Table("model", "time", "by", "change", "from", "to")
    for name in names:
        rows: list[tuple[str, ...]] = [
            (each.at, each.by, each.action, _number(each.before), _number(each.after, "the newest"))
            for each in repository.serving(name).history
        ]
        for event in repository.history(name):
            ends = (str(event.version), "") if event.action == "delete" else (event.source, str(event.version))
            rows.append((event.at, event.by, event.action, *ends))
        for row in sorted(rows, key=lambda row: row[0]):
            add_row(table, name, *row)
    return table


def _number(version: int | None, otherwise: str = "") -> str:
    return otherwise if version is None else str(version)


def _print(table: Table) -> None:
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def _summary(manifest: Manifest, certificate: CertificateRecord | None) -> list[str]:
    tiling, size = manifest.tiling, manifest.preprocessing.image_size
    return [
        manifest.detector.name,
        "{} x {}{}".format(*tiling.tile_size, " + thumbnail" * tiling.thumbnail) if tiling.enable else "whole picture",
        "{} x {}".format(*tiling.stride) if tiling.enable else "",
        "{} x {}".format(*size) if size else "any",
        _dataset(manifest),
        _quality(manifest, certificate),
    ]


def _dataset(manifest: Manifest) -> str:
    """The training data. The number of pictures is not known (0) for imported models."""
    dataset, pictures = manifest.provenance.dataset, manifest.provenance.pictures
    return f"{dataset}, {pictures} picture{'s' * (pictures != 1)}" if pictures else dataset


def _quality(manifest: Manifest, certificate: CertificateRecord | None) -> str:
    """What the training and `tessera certify` measured of the model; empty if nothing was measured."""
    quality, found = manifest.quality, []
    if quality and quality.false_alarms:
        found.append(f"false alarms {quality.false_alarms}")
    if quality and quality.smallest_defect:
        found.append(f"defects from {quality.smallest_defect} px")
    if manifest.taught and manifest.taught.second_stage:
        found.append(f"a second stage of {manifest.taught.second_stage.defects} defective pictures")
    if certificate is not None:
        found.append(f"certified: {'; '.join(map(str, certificate.headlines))}")
    return ", ".join(found)

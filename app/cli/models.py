"""`tessera models`."""

import sys

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.artifacts import Entry, Manifest, ModelRepository, load_artifact, read_with_digest
from app.cli.repository import add_repository
from app.errors import TesseraError
from app.pipeline import resolve_device

DIGITS = 12
"""The number of digits of a digest that are shown: enough to distinguish contents."""


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="List the models of a repository, or verify them as a server would.")
    parser.add_argument("action", choices=("list", "verify"), help="list reads the manifests, verify loads versions")
    add_repository(parser)
    return parser


def run(options: Namespace) -> int:
    """Lists or verifies the models; returns 1 if a version is refused."""
    repository, device = ModelRepository(options.models_dir), resolve_device(options.device)
    table = Table(
        "model", "version", "detector", "tile", "stride", "image size", "trained on", "quality", "digest", "state"
    )
    failed = 0
    for entry in repository.entries():
        try:
            if options.action == "verify":
                artifact = load_artifact(entry, device)
                manifest, found, state = artifact.manifest, artifact.digest, "verified"
            else:
                (manifest, found), state = read_with_digest(entry.path), "not verified"
            table.add_row(*_summary(entry, manifest), found[:DIGITS], state)
        except TesseraError as error:
            failed += 1
            table.add_row(entry.name, str(entry.version), *[""] * 7, Text(f"{error.code}: {error}", style="red"))
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
    return 1 if failed else 0


def _summary(entry: Entry, manifest: Manifest) -> list[str]:
    tiling, size = manifest.tiling, manifest.preprocessing.image_size
    return [
        entry.name,
        str(entry.version),
        manifest.detector.name,
        "{} x {}{}".format(*tiling.tile_size, " + thumbnail" * tiling.thumbnail) if tiling.enable else "whole picture",
        "{} x {}".format(*tiling.stride) if tiling.enable else "",
        "{} x {}".format(*size) if size else "any",
        _dataset(manifest),
        _quality(manifest),
    ]


def _dataset(manifest: Manifest) -> str:
    """The training data. The number of pictures is not known (0) for imported models."""
    dataset, pictures = manifest.provenance.dataset, manifest.provenance.pictures
    return f"{dataset}, {pictures} picture{'s' * (pictures != 1)}" if pictures else dataset


def _quality(manifest: Manifest) -> str:
    """What the training measured of the model; empty if it measured nothing."""
    quality, found = manifest.quality, []
    if quality and quality.false_alarms:
        found.append(f"false alarms {quality.false_alarms}")
    if quality and quality.smallest_defect:
        found.append(f"defects from {quality.smallest_defect} px")
    return ", ".join(found)

"""`tessera zones`."""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from app.artifacts import (
    Entry,
    Manifest,
    ModelRepository,
    read_zones_for,
    verify_artifact,
    write_zoned,
)
from app.cli.pinned import pin_notes
from app.cli.repository import add_models_dir, read_repository
from app.cli.usage import UsageError
from app.errors import InvalidZones
from app.terminal import print_line
from app.zones import MOST_BYTES, Zones, document_of


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Set areas of the picture that do not count, or that have thresholds of their own, and write the "
        "model as the next version, which shares the weights. Without an option, prints the zones as GeoJSON."
    )
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version; by default the one that serves")
    parser.add_argument(
        "--set",
        type=Path | None,
        default=None,
        help="a file of polygons, which replace all zones: GeoJSON in pixels of the picture, or of labelme",
    )
    parser.add_argument(
        "--ignore", type=bool, default=False, help="ignore the areas for which the file says nothing else"
    )
    parser.add_argument("--clear", type=bool, default=False, help="remove all zones")
    add_models_dir(parser)
    return parser


def run(options: Namespace) -> int:
    """Prints the zones, or writes a version with others."""
    file: Path | None = options.set
    if file is not None and options.clear:
        raise UsageError("--set and --clear exclude each other", hint="--set replaces all zones")
    if options.ignore and file is None:
        raise UsageError("--ignore belongs to --set", hint="example: --set zones.geojson --ignore true")
    repository = read_repository(options)
    entry = repository.find(options.name, options.version)
    manifest, _ = verify_artifact(entry)
    present = None if manifest.zones is None else manifest.zones.build()
    if file is None and not options.clear:
        print(json.dumps(document_of(present, manifest.calibration.build()), indent=2), flush=True)
        return 0
    zones = None
    if file is not None:
        zones = _read(file, manifest, ignore=options.ignore)
        if zones is None:
            raise InvalidZones(f"{file} has no polygon; remove all zones by --clear true")
    elif present is None:
        print_line(f"version {entry.version} of {entry.name} has no zones; nothing was written")
        return 0
    written = write_zoned(entry, repository, zones)
    for line in (*_described(zones), *_next(entry, written, repository)):
        print_line(line)
    return 0


def _read(file: Path, manifest: Manifest, *, ignore: bool) -> Zones | None:
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidZones(f"{file} cannot be read: {error.strerror}") from error
    try:
        return read_zones_for(manifest, content, ignore=ignore)
    except InvalidZones as error:
        raise InvalidZones(f"{file}: {error}") from error


def _described(zones: Zones | None) -> list[str]:
    if zones is None:
        return ["the whole picture counts again, by one threshold"]
    lines = [f"zones in pixels of pictures of {zones.size[1]} x {zones.size[0]}:"]
    for zone in zones.zones:
        if zone.image_multiple is None or zone.pixel_multiple is None:
            lines.append(f"  {zone.name}: ignored")
        else:
            apart = f", of pixels {zone.pixel_multiple:.3g} times" * (zone.pixel_multiple != zone.image_multiple)
            lines.append(f"  {zone.name}: its threshold is {zone.image_multiple:.3g} times the model's{apart}")
    return lines


def _next(source: Entry, written: Entry, repository: ModelRepository) -> list[str]:
    lines = [
        f"wrote version {written.version} of {written.name} to {written.path}, with the weights of version "
        f"{source.version}; a running server will find it"
    ]
    return lines + pin_notes(written, repository)

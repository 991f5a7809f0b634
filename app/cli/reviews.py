"""`tessera reviews`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from app.cli.kept_pictures import add_pictures, open_pictures
from app.cli.usage import UsageError
from app.store.kept import PictureStore
from app.store.kept.exporting import export
from app.store.kept.importing import import_folder
from app.terminal import add_row, print_line


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="List, export or import the pictures that a server keeps, with their reviews. The server may run "
        "meanwhile. The bounds of the store are those of the server's environment variables."
    )
    parser.add_argument(
        "action",
        choices=("list", "export", "import"),
        help="list shows the pictures, export writes them to a folder, import adds those of such a folder",
    )
    add_pictures(parser)
    parser.add_argument("--name", type=str | None, default=None, help="list and export: only of this model")
    parser.add_argument(
        "--reviewed", type=bool | None, default=None, help="list and export: only with, or without, a review"
    )
    parser.add_argument("--folder", type=Path | None, default=None, help="export: a new folder; import: its folder")
    return parser


def run(options: Namespace) -> int:
    """Lists, exports or imports; returns 1 if some pictures had no room. Raises UsageError or InvalidPictures."""
    if options.action != "list" and options.folder is None:
        raise UsageError(
            "--folder is missing",
            hint=f"example: tessera reviews {options.action} --pictures_dir kept --folder reviews",
        )
    if options.action == "import" and (options.name is not None or options.reviewed is not None):
        raise UsageError(
            "--name and --reviewed choose pictures of a list or an export; an import takes all of its folder",
            hint="give them to the export: tessera reviews export --pictures_dir kept --folder reviews --name surface",
        )
    store = open_pictures(options, f"tessera reviews {options.action}", new=options.action == "import")
    try:
        if options.action == "list":
            _show(store, options)
        elif options.action == "export":
            chosen = store.each(model=options.name, reviewed=options.reviewed)
            count = export(store, options.folder, chosen)
            print_line(f"pictures exported to {options.folder}: {count}")
        else:
            return _import(store, options.folder)
    finally:
        store.close()
    return 0


def _import(store: PictureStore, folder: Path) -> int:
    found = import_folder(store, folder)
    print_line(
        f"pictures added: {found.added}; reviews updated: {found.updated}; unchanged: {found.unchanged}, because their "
        "review is as new or newer"
    )
    if found.full:
        print_line(f"pictures without room: {found.full}; raise TESSERA_PICTURES_BYTES, or make room on the disk")
    return 1 if found.full else 0


def _show(store: PictureStore, options: Namespace) -> None:
    table = Table("id", "kept", "model", "score", "verdict", "review", "regions", "name")
    for each in store.each(model=options.name, reviewed=options.reviewed):
        verdict, review = each.verdict, each.review
        add_row(
            table,
            each.id,
            f"{datetime.fromtimestamp(each.kept_s, UTC):%Y-%m-%d %H:%M}",
            f"{verdict.model}:{verdict.version}",
            f"{verdict.score:.3f}",
            verdict.label,
            "" if review is None else review.label.value,
            str(verdict.region_count),
            each.name,
        )
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)

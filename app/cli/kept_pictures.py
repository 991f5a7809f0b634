"""The options of commands that use the pictures that a server keeps."""

import os
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from pydantic import ValidationError

from app.cli.usage import UsageError
from app.errors import InvalidPictures
from app.parts import picture_store
from app.settings import Settings, said_of_settings
from app.store.kept import PictureStore

VARIABLE = "TESSERA_PICTURES_DIR"


def add_pictures(parser: ArgumentParser) -> None:
    """Adds the options of the folder and the database."""
    parser.add_argument(
        "--pictures_dir", type=Path | None, default=None, help=f"the directory of kept pictures; default: {VARIABLE}"
    )
    parser.add_argument(
        "--jobs_database",
        type=str | None,
        default=None,
        help="the database of several servers; default: TESSERA_JOBS_DATABASE",
    )


def open_pictures(options: Namespace, example: str, *, new: bool = False) -> PictureStore:
    """The store of these options. Raises UsageError, InvalidPictures or InvalidJobs.

    example: a command line, for the message
    new: whether the folder may be new
    """
    folder = options.pictures_dir or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if folder is None:
        raise UsageError("--pictures_dir is missing", hint=f"example: {example} --pictures_dir kept")
    if not new and not folder.is_dir():
        raise InvalidPictures(f"{folder} is not a directory; give the pictures_dir of a server")
    try:
        given = {} if options.jobs_database is None else {"jobs_database": options.jobs_database}
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise UsageError(*said_of_settings(error)) from error
    return picture_store(folder, settings)

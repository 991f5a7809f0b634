"""`tessera serve`."""

from jsonargparse import ArgumentParser, Namespace
from pydantic import ValidationError

from app.main import serve
from app.settings import Settings, said_of_settings
from app.terminal import print_error


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Serve models over HTTP. Every setting is also read from TESSERA_<SETTING>.")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    add_settings(parser)
    return parser


def add_settings(parser: ArgumentParser) -> None:
    """Adds an option for each setting."""
    for name, field in Settings.model_fields.items():
        kind = field.annotation | None  # type: ignore[operator]  # a type that is known at run time only
        default = getattr(field.default, "value", field.default)
        shown = "" if default in (None, "") else f" (default: {default})"
        parser.add_argument(f"--{name}", type=kind, default=None, help=f"{field.description}{shown}")


def given_settings(options: Namespace) -> dict[str, object]:
    """The settings that the command line gives."""
    return {name: options[name] for name in Settings.model_fields if options[name] is not None}


def run(options: Namespace) -> int:
    """Serves until the process ends; returns 1 for invalid settings."""
    try:
        settings = Settings.model_validate(given_settings(options))
    except ValidationError as error:
        for line in said_of_settings(error):
            print_error(line)
        return 1
    serve(settings)

"""`tessera serve`."""

from jsonargparse import ArgumentParser, Namespace
from pydantic import ValidationError

from app.main import serve
from app.settings import Settings
from app.terminal import print_error


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Serve models over HTTP. Every setting is also read from TESSERA_<SETTING>.")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    for name, field in Settings.model_fields.items():
        kind = field.annotation | None  # type: ignore[operator]  # a type that is known at run time only
        default = getattr(field.default, "value", field.default)
        shown = "" if default in (None, "") else f" (default: {default})"
        parser.add_argument(f"--{name}", type=kind, default=None, help=f"{field.description}{shown}")
    return parser


def run(options: Namespace) -> int:
    """Serves until the process ends; returns 1 for invalid settings."""
    given = {name: options[name] for name in Settings.model_fields if options[name] is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        for each in error.errors():
            name, message = each["loc"][0], each["msg"].removeprefix("Value error, ")
            print_error(f"{name}: {message}; it is {each['input']!r}")
        return 1
    serve(settings)

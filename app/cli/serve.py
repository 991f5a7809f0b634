"""`tessera serve`."""

from jsonargparse import ArgumentParser, Namespace

from app.main import serve
from app.settings import Settings


def parser() -> ArgumentParser:
    """The command's arguments."""
    parser = ArgumentParser(description="Serve models over HTTP. Every setting is also read from TESSERA_<SETTING>.")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    for name, field in Settings.model_fields.items():
        kind = field.annotation | None  # type: ignore[operator]  # a type that is known at run time only
        parser.add_argument(f"--{name}", type=kind, default=None, help=f"{field.description} [{field.default}]")
    return parser


def run(options: Namespace) -> int:
    """Serves until told to stop."""
    given = {name: options[name] for name in Settings.model_fields if options[name] is not None}
    return serve(Settings(**given))

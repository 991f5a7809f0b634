"""The options of `tessera certify --search`."""

from jsonargparse import ArgumentParser, Namespace

from app.cli.usage import UsageError
from app.model_search import BACKBONES, DETECTORS, Space

DEFAULTS = Space()
OWN = "wish", "pixels_per_mm"
"""Options that have no meaning without --search."""


def add_search(parser: ArgumentParser) -> None:
    """Adds the options of the search."""
    for name, text in (
        (
            "search",
            "whether to try tile sizes, strides, halos, scales of pictures, detectors and backbones by short trials on "
            "the normal pictures, and to train the one that grants the wish as the next version, with its certificate",
        ),
        ("only_show", "whether the search only shows what it finds, and trains no version"),
    ):
        parser.add_argument(f"--{name}", type=bool, nargs="?", const=True, default=False, help=text)
    parser.add_argument(
        "--wish",
        type=str | None,
        default=None,
        help="what the model must find with 95 % probability, with --search: a size and a contrast, such as 6px@10%, "
        "or 0.3mm@10% with --pixels_per_mm; of a scratch, or of the kind before it, such as 'pit 12px@30%'",
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=0.0,
        help="how many pictures a second this machine must take, with short queues, as `tessera estimate` counts "
        "them; 0: any speed",
    )
    parser.add_argument(
        "--pixels_per_mm", type=float | None, default=None, help="the scale of the pictures, for a wish in mm"
    )
    parser.add_argument(
        "--false_positive_rate", type=float, default=0.05, help="the rate of false alarms of the models that are tried"
    )
    lists = {
        "detectors": (list[str], f"the detectors to try: {'; '.join(DETECTORS)}"),
        "backbones": (list[str], f"the backbones to try, such as {' and '.join(BACKBONES)}"),
        "tile_sizes": (list[int], "the edges of tiles to try, in pixels"),
        "overlaps": (list[float], "the shares of a tile that the next one shows again, which set strides"),
        "halos": (list[int], "the widths in pixels of the context around each tile"),
        "scales": (list[float], "the factors by which pictures of one size are made smaller before they are tiled"),
    }
    for name, (kind, text) in lists.items():
        parser.add_argument(
            f"--{name}", type=kind, default=list(getattr(DEFAULTS, name)), help=f"with --search: {text}"
        )


def require_search(options: Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    if not options.search:
        given = [f"--{name}" for name in OWN if options[name] is not None]
        given += [f"--{name}" for name in ("only_show", "rate") if options[name]]
        if given:
            raise UsageError(f"{', '.join(given)}: only with --search", hint="add --search, or leave it out")
    elif options.wish is None:
        raise UsageError("--search needs --wish", hint="example: --search --wish 6px@10% --rate 8 --budget 30m")
    elif options.version is not None:
        raise UsageError("--search makes a new version; leave out --version")

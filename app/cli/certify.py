"""`tessera certify`."""

import re
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from app.artifacts import CERTIFICATE, Manifest, load_artifact, read_manifest
from app.cli.certificate import certify_version
from app.cli.instantiation import instantiate
from app.cli.repository import add_repository, read_repository
from app.cli.search import search
from app.cli.search_options import add_search, require_search
from app.data import GOOD, DataModule, LabelledPicture
from app.errors import InvalidDataset, InvalidParameter
from app.evaluation import Selection, select_unseen
from app.evaluation.certificate import Plan
from app.evaluation.report import CERTIFICATE_PAGE
from app.pipeline import resolve_device
from app.runtime import Precision, PrecisionChoice, RunOptions

DEFAULTS = Plan()
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Measure which sizes of scratches, soft scratches, pits, stains and missing print a model finds: "
        "draws marks of graded size and contrast into normal pictures that the model has not seen, at places all over "
        "the picture, and reports the size that is found with 95 % probability at its thresholds. Writes it as a "
        f"certificate beside the version ({CERTIFICATE}), which keeps its digest; servers show it. With --search, "
        "tries tilings, detectors and backbones first, and trains the one that finds the smallest marks at a wished "
        "speed."
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version; by default the one that serves")
    parser.add_subclass_arguments(
        DataModule,
        "data",
        required=True,
        help="the data set's class, with its parameters: its normal pictures that the model has not seen are used",
    )
    parser.add_argument(
        "--contrasts",
        type=list[float],
        default=list(DEFAULTS.contrasts),
        help="the largest changes of a pixel to try, as shares of its value, above 0 and at most 1",
    )
    parser.add_argument(
        "--marks", type=int, default=DEFAULTS.marks, help="the number of marks of each kind and contrast, 10 to 1000"
    )
    parser.add_argument(
        "--budget",
        type=str | None,
        default=None,
        help="the longest time for the marks, such as 90s, 5m or 1h; fewer marks are drawn if it is too short. The "
        "certificate records their number, which repeats it as --marks. By default there is no limit. With --search: "
        "the time for all trials, by default 30m",
    )
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed, help="the seed of all random choices")
    parser.add_argument(
        "--output", type=Path | None, default=None, help=f"a folder to write {CERTIFICATE_PAGE} and {CERTIFICATE} to"
    )
    add_search(parser)
    add_repository(parser)
    parser.add_argument(
        "--precision",
        type=PrecisionChoice | None,
        default=None,
        help="auto, float32, bfloat16 or float16; auto: as in `tessera serve`. By default float32; auto with --search",
    )
    return parser


def run(options: Namespace) -> int:
    """Measures, and writes the certificate; with --search, of the model that is chosen and trained."""
    require_search(options)
    budget_s = budget_seconds(options.budget)
    plan = Plan(tuple(options.contrasts), options.marks, None if options.search else budget_s, options.seed)
    device = resolve_device(options.device)
    data: DataModule = instantiate(parser(), options).data
    if options.search:
        return search(options, data, device, plan, budget_s)
    repository = read_repository(options)
    entry = repository.find(options.name, options.version)
    repository.require_place(entry.name)  # a folder that cannot be written to fails before the measurement
    selection = _unseen(normal_pictures(data), read_manifest(entry.path))
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)  # a bad folder fails before the measurement
    artifact = load_artifact(entry, device, RunOptions(precision=options.precision or Precision.float32, batch_tiles=0))
    certify_version(entry, artifact, data, selection.pictures, plan, options.output, selection.notes)
    return 0


def budget_seconds(text: str | None) -> float | None:
    """The seconds of a time such as 90s, 5m or 1h; raises InvalidParameter."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if found is None:
        raise InvalidParameter(f"budget is {text!r}; use a number with s, m or h, such as 90s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2] or "s"]


def normal_pictures(data: DataModule) -> list[LabelledPicture]:
    """The normal pictures of a data set, those for testing first; raises InvalidDataset if there are none."""
    testing = [each for each in data.test_pictures() if not each.anomalous]
    known = {each.path for each in testing}
    training = [LabelledPicture(path, GOOD, None) for path in data.train_pictures() if path not in known]
    if not testing and not training:
        raise InvalidDataset(f"{data.description} has no normal pictures to draw marks into")
    return [*testing, *training]


def _unseen(normal: list[LabelledPicture], manifest: Manifest) -> Selection:
    """The pictures that the model has not seen; raises InvalidDataset if there are none."""
    try:
        return select_unseen(normal, manifest)
    except InvalidDataset as error:
        raise InvalidDataset(
            f"the model was fitted to or calibrated on all of the {len(normal)} normal pictures, and finds too much in "
            "them; name others by data.root"
        ) from error

"""The classes that options take, under the names that users and anomalib's files write: `padim`, `MVTecAD`."""

from collections.abc import Mapping

from app.cli.usage import UsageError
from app.similar import nearest

CLASS_OPTIONS = ("model", "data", "calibration", "trainer.callbacks")
"""The options that take a class."""
OTHER_NAMES = {"mvtecad": "mvtec"}  # the name in anomalib 2


def classes(option: str) -> Mapping[str, type]:
    """The classes that an option takes, by their names. Imports torch."""
    from app import data, training
    from app.detectors import DETECTORS
    from app.training.selection import Auto

    kinds: dict[str, tuple[type, ...]] = {
        "model": (*DETECTORS.values(), Auto),
        "data": (data.MVTec, data.Folder, data.CsvList),
        "calibration": (
            training.Automatic,
            training.CrossConformal,
            training.HoldOut,
            training.Labelled,
            training.Reference,
        ),
        "trainer.callbacks": (training.TilerConfigurationCallback, training.EarlyStopping),
    }
    return {kind.__name__: kind for kind in kinds[option]}


def class_of(option: str, name: str) -> type | None:
    """The class with this name; None: there is none."""
    last = name.rpartition(".")[2].lower()
    return next(
        (kind for known, kind in classes(option).items() if OTHER_NAMES.get(last, last) == known.lower()),
        None,
    )


def known_name(option: str, name: str, where: str = "") -> str:
    """Tessera's name of a class. Raises UsageError for an unknown class; `where` begins its message."""
    kind = class_of(option, name)
    if kind is not None:
        return kind.__name__
    names = classes(option)
    close = nearest(name.rpartition(".")[2], names)
    advice = f"; did you mean {close}?" if close else ""
    what = where or f"--{option}"
    raise UsageError(f"{what} {name} is not known; use {', '.join(names)}{advice}")

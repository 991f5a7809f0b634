"""Converts anomalib's transforms to a preprocessing, or refuses them if it cannot reproduce them."""

from collections.abc import Mapping
from math import isfinite

from app.backbones import IMAGENET
from app.errors import UnsupportedImport
from app.importing.choices import NormalisationChoice
from app.importing.components import interpolation
from app.importing.records import as_list, shown
from app.importing.reference import Transform
from app.pipeline import Preprocessing
from app.tiling import Size

MAX_EDGE = 2**14
NO_MEAN, NO_STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def preprocessing(
    transforms: tuple[Transform, ...],
    image_size: Size | None = None,
    antialias: bool | None = None,
    normalisation: NormalisationChoice | None = None,
) -> Preprocessing:
    """The preprocessing of these steps; the other arguments replace theirs. Raises UnsupportedImport.

    Accepts at most one Resize to `(height, width)` and one Normalize, and a CenterCrop only if it does not change the
    pictures. Without Normalize, values are in [0, 1].
    """
    size: Size | None = None
    smooth, mean, std = True, NO_MEAN, NO_STD
    seen: set[str] = set()
    for transform in transforms:
        settings = transform.settings
        if transform.name in seen or transform.name not in (
            "Resize",
            "CenterCrop",
            "ExportableCenterCrop",
            "Normalize",
        ):
            raise UnsupportedImport(
                f"the pre-processor's step {transform.name} cannot be reproduced; use one Resize and one Normalize"
            )
        seen.add(transform.name)
        if transform.name == "Resize":
            size, smooth = _resized(settings), settings.get("antialias") is True
        elif transform.name == "Normalize":
            mean, std = _channels("mean", settings), _channels("std", settings)
            if min(std) <= 0:
                raise UnsupportedImport(f"the pre-processor divides by a standard deviation of {min(std)}")
        elif as_list(settings.get("size")) != list(size or ()):
            raise UnsupportedImport(
                f"the pre-processor crops pictures to {shown(settings.get('size'))} after resizing them to "
                f"{shown(size)}, which is not supported; train the model without CenterCrop to import it"
            )
    if normalisation is not None:
        mean, std = (IMAGENET.mean, IMAGENET.std) if normalisation == "imagenet" else (NO_MEAN, NO_STD)
    return Preprocessing(image_size or size, smooth if antialias is None else antialias, mean, std)


def _resized(settings: Mapping[object, object]) -> Size:
    size, kind = as_list(settings.get("size")), interpolation(settings.get("interpolation"))
    match size:
        case [int(height), int(width)] if all(0 < edge <= MAX_EDGE for edge in (height, width)):
            if kind != "bilinear":
                raise UnsupportedImport(
                    f"the pre-processor resizes by {shown(kind)} interpolation; bilinear is supported"
                )
            return height, width
    raise UnsupportedImport(
        f"the pre-processor resizes to {shown(settings.get('size'))}, which keeps the aspect ratio or is no size; "
        f"Resize((height, width)) is supported, of at most {MAX_EDGE} pixels each"
    )


def _channels(name: str, settings: Mapping[object, object]) -> tuple[float, float, float]:
    match as_list(settings.get(name)):
        case [(int() | float()) as red, (int() | float()) as green, (int() | float()) as blue]:
            values = float(red), float(green), float(blue)
            if all(isfinite(value) for value in values):
                return values
    raise UnsupportedImport(
        f"the pre-processor normalises by a {name} of {shown(settings.get(name))}; use three numbers"
    )

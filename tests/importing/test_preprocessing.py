from typing import Any

import pytest

from app.errors import UnsupportedImport
from app.importing.components import DEFAULT_TRANSFORMS, plain_transforms
from app.importing.preprocessing import preprocessing
from app.importing.records import Name, PickledObject
from app.importing.reference import Transform
from app.pipeline import Preprocessing

RESIZE: dict[Any, Any] = {"size": [64, 96], "interpolation": "bilinear", "max_size": None, "antialias": True}
NORMALIZE: dict[Any, Any] = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]}


def steps(*pairs: tuple[str, dict[Any, Any]]) -> tuple[Transform, ...]:
    return tuple(Transform(name, settings) for name, settings in pairs)


def test_the_default_is_anomalib_s() -> None:
    assert preprocessing(DEFAULT_TRANSFORMS) == Preprocessing((256, 256))


def test_size_mean_and_deviation_are_taken() -> None:
    found = preprocessing(steps(("Resize", RESIZE), ("Normalize", NORMALIZE)))
    assert found == Preprocessing((64, 96), True, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


def test_without_steps_pictures_are_taken_as_they_are() -> None:
    assert preprocessing(()) == Preprocessing(None, True, (0, 0, 0), (1, 1, 1))


def test_a_crop_that_crops_nothing_is_taken() -> None:
    crop = ("CenterCrop", {"size": [64, 96]})
    assert preprocessing(steps(("Resize", RESIZE), crop)).image_size == (64, 96)


def test_what_is_given_comes_first() -> None:
    found = preprocessing(DEFAULT_TRANSFORMS, (128, 64), antialias=False)
    assert (found.image_size, found.antialias) == ((128, 64), False)


@pytest.mark.parametrize("antialias", [False, None])
def test_a_resize_without_antialiasing_stays_one(antialias: bool | None) -> None:
    assert not preprocessing(steps(("Resize", {**RESIZE, "antialias": antialias}))).antialias


@pytest.mark.parametrize(
    "interpolation",
    [
        "bilinear",
        2,
        PickledObject(Name("torchvision.transforms.functional.InterpolationMode"), ("bilinear",)),
        PickledObject(Name("__builtin__.getattr"), (Name("x.InterpolationMode"), "BILINEAR")),
    ],
)
def test_interpolation_is_known_in_every_form(interpolation: object) -> None:
    assert preprocessing(steps(("Resize", {**RESIZE, "interpolation": interpolation}))).image_size == (64, 96)


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        (steps(("Resize", {**RESIZE, "size": [256]})), r"resizes to \[256\], which keeps the aspect ratio"),
        (steps(("Resize", {**RESIZE, "size": [0, 5]})), "is no size"),
        (steps(("Resize", {**RESIZE, "size": "big"})), "'big'"),
        (steps(("Resize", {**RESIZE, "size": [10**9, 64]})), "at most 16384 pixels"),
        (steps(("Normalize", {**NORMALIZE, "mean": [0.5, float("nan"), 0.1]})), "use three numbers"),
        (steps(("Resize", {**RESIZE, "interpolation": "bicubic"})), "'bicubic' interpolation; bilinear is supported"),
        (steps(("Resize", RESIZE), ("CenterCrop", {"size": [32, 32]})), r"crops pictures to \[32, 32\] after"),
        (steps(("CenterCrop", {"size": [32, 32]})), r"to \[32, 32\] after resizing them to None"),
        (steps(("Resize", RESIZE), ("ExportableCenterCrop", {"size": [60, 96]})), "train the model without CenterCrop"),
        (steps(("Resize", RESIZE), ("Resize", RESIZE)), "step Resize cannot be reproduced; use one Resize"),
        (steps(("Grayscale", {})), "step Grayscale cannot be reproduced"),
        (steps(("SquarePad", {})), "step SquarePad cannot be reproduced"),
        (steps(("Normalize", {"mean": [0.5], "std": [0.2]})), r"a mean of \[0\.5\]; use three numbers"),
        (steps(("Normalize", {**NORMALIZE, "std": [0.2, 0.0, 0.1]})), r"a standard deviation of 0\.0"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(transforms: tuple[Transform, ...], message: str) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        preprocessing(transforms)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "a pre-processor of its own, whose configuration"),
        ({"transform": {"class_path": "my.Sharpen", "init_args": {}}}, r"a step that is not known: my\.Sharpen"),
        ({"transform": 7}, "a step that is not known: no transform"),
    ],
)
def test_unknown_transforms_are_refused(config: object, message: str) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        plain_transforms(config)


def test_a_transform_within_itself_is_refused() -> None:
    spec: dict[str, Any] = {"class_path": "torchvision.transforms.v2.Compose", "init_args": {}}
    spec["init_args"]["transforms"] = [spec]
    with pytest.raises(UnsupportedImport, match="is not known"):
        plain_transforms({"transform": spec})

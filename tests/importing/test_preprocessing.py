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


def test_the_default_transforms_give_the_default_preprocessing() -> None:
    assert preprocessing(DEFAULT_TRANSFORMS) == Preprocessing((256, 256))


def test_size_mean_and_deviation_are_read() -> None:
    found = preprocessing(steps(("Resize", RESIZE), ("Normalize", NORMALIZE)))
    assert found == Preprocessing((64, 96), True, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


def test_without_steps_pictures_are_neither_resized_nor_normalised() -> None:
    assert preprocessing(()) == Preprocessing(None, True, (0, 0, 0), (1, 1, 1))


def test_a_crop_to_the_whole_picture_is_accepted() -> None:
    crop = ("CenterCrop", {"size": [64, 96]})
    assert preprocessing(steps(("Resize", RESIZE), crop)).image_size == (64, 96)


def test_given_values_override_the_transforms() -> None:
    found = preprocessing(DEFAULT_TRANSFORMS, (128, 64), antialias=False)
    assert (found.image_size, found.antialias) == ((128, 64), False)


@pytest.mark.parametrize("antialias", [False, None])
def test_a_resize_without_antialiasing_is_kept(antialias: bool | None) -> None:
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
def test_bilinear_interpolation_is_recognised_in_every_form(interpolation: object) -> None:
    assert preprocessing(steps(("Resize", {**RESIZE, "interpolation": interpolation}))).image_size == (64, 96)


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        (steps(("Resize", {**RESIZE, "size": [256]})), r"\[256\]"),
        (steps(("Resize", {**RESIZE, "size": [0, 5]})), r"\[0, 5\]"),
        (steps(("Resize", {**RESIZE, "size": "big"})), "'big'"),
        (steps(("Resize", {**RESIZE, "size": [10**9, 64]})), r"\[1000000000, 64\].*\b16384\b"),
        (steps(("Normalize", {**NORMALIZE, "mean": [0.5, float("nan"), 0.1]})), r"mean .*\bnan\b"),
        (steps(("Resize", {**RESIZE, "interpolation": "bicubic"})), "'bicubic'"),
        (steps(("Resize", RESIZE), ("CenterCrop", {"size": [32, 32]})), r"\[32, 32\].*\[64, 96\]"),
        (steps(("CenterCrop", {"size": [32, 32]})), r"\[32, 32\].*\bNone\b"),
        (steps(("Resize", RESIZE), ("ExportableCenterCrop", {"size": [60, 96]})), r"\[60, 96\].*\[64, 96\]"),
        (steps(("Resize", RESIZE), ("Resize", RESIZE)), "step Resize "),
        (steps(("Grayscale", {})), "step Grayscale "),
        (steps(("SquarePad", {})), "step SquarePad "),
        (steps(("Normalize", {"mean": [0.5], "std": [0.2]})), r"mean .*\[0\.5\]"),
        (steps(("Normalize", {**NORMALIZE, "std": [0.2, 0.0, 0.1]})), r"deviation .*\b0\.0"),
    ],
)
def test_transforms_that_cannot_be_reproduced_are_refused(transforms: tuple[Transform, ...], message: str) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        preprocessing(transforms)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "configuration"),
        ({"transform": {"class_path": "my.Sharpen", "init_args": {}}}, r"my\.Sharpen"),
        ({"transform": 7}, "no transform"),
    ],
)
def test_unknown_transforms_are_refused(config: object, message: str) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        plain_transforms(config)


def test_a_transform_that_contains_itself_is_refused() -> None:
    spec: dict[str, Any] = {"class_path": "torchvision.transforms.v2.Compose", "init_args": {}}
    spec["init_args"]["transforms"] = [spec]
    with pytest.raises(UnsupportedImport, match=r"v2\.Compose"):
        plain_transforms({"transform": spec})

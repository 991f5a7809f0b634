"""Reads anomalib's pre- and post-processors: records of pickled objects, or the plain data of anomalib 2.7."""

from collections.abc import Mapping
from typing import NoReturn

from app.errors import UnsupportedImport
from app.importing.records import Name, PickledObject, as_dict, as_list, attribute, enum_value, shown
from app.importing.reference import PostProcessing, Transform

DEFAULT_TRANSFORMS = (
    Transform("Resize", {"size": [256, 256], "antialias": True, "interpolation": "bilinear"}),
    Transform("Normalize", {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}),
)
MOST_STEPS = 100
"""Steps of a pre-processor, containers included: a file may hold one list many times, nested in itself."""

PACKAGES = ("torchvision.transforms.", "anomalib.data.transforms.")
POST_PROCESSORS = ("PostProcessor", "OneClassPostProcessor")
"""The classes whose post-processing is known: OneClassPostProcessor is the name of PostProcessor in anomalib 2.0."""

SETTINGS = {
    "enable_normalization",
    "enable_thresholding",
    "enable_threshold_matching",
    "image_sensitivity",
    "pixel_sensitivity",
}
"""The settings of anomalib's PostProcessor."""


def recorded_transforms(pre_processor: PickledObject) -> tuple[Transform, ...]:
    """The steps that a recorded PreProcessor applied to pictures in training; raises UnsupportedImport."""
    if pre_processor.name.short != "PreProcessor" or not pre_processor.name.path.startswith("anomalib."):
        raise UnsupportedImport(
            f"the model has a pre-processor of its own, {pre_processor.name.path}; only anomalib's is known"
        )
    return _steps(attribute(pre_processor, "transform"))


def plain_transforms(config: object) -> tuple[Transform, ...]:
    """The steps of a pre-processor's configuration; empty if its transform is None. Raises UnsupportedImport."""
    if "transform" not in as_dict(config):
        raise UnsupportedImport("the model has a pre-processor of its own, whose configuration is not known")
    return _steps(as_dict(config)["transform"])


def _steps(transform: object) -> tuple[Transform, ...]:
    """The steps of a transform, those of compositions one by one, in order."""
    if transform is None:
        return ()
    steps: list[Transform] = []
    waiting = [transform]
    for _ in range(MOST_STEPS):
        if not waiting:
            return tuple(steps)
        path, settings = _described(waiting.pop())
        if not path.startswith(PACKAGES):
            raise UnsupportedImport(
                f"the model's pre-processor has a step that is not known: {path[:100] or 'no transform'}"
            )
        name = Name(path).short
        if name == "Compose":
            inner = as_list(settings.get("transforms"))[: MOST_STEPS + 1]
            waiting.extend(step for step in reversed(inner) if step is not None)
        else:
            steps.append(Transform(name, settings))
    raise UnsupportedImport(f"the model's pre-processor has more than {MOST_STEPS} steps, or a {path[:100]} in itself")


def _described(transform: object) -> tuple[str, Mapping[object, object]]:
    if isinstance(transform, PickledObject):
        return transform.name.path, as_dict(transform.state)
    plain = as_dict(transform)
    path = plain.get("class_path")
    return path if isinstance(path, str) else "", as_dict(plain.get("init_args"))


def recorded_post_processing(post_processor: PickledObject) -> PostProcessing:
    """The settings of a recorded PostProcessor; raises UnsupportedImport."""
    name = post_processor.name
    if not name.path.startswith("anomalib.") or name.short not in POST_PROCESSORS:
        refuse_post_processor(name.path)
    return _post_processing(as_dict(post_processor.state))


def plain_post_processing(config: object) -> PostProcessing:
    """The settings of a post-processor's configuration; missing settings have anomalib's defaults.

    The configuration does not name its class. Raises UnsupportedImport if it has settings of another class.
    """
    others = sorted(str(name) for name in as_dict(config).keys() - SETTINGS)
    if others:
        refuse_post_processor(f"with the settings {', '.join(others[:5])}")
    return _post_processing(as_dict(config))


def refuse_post_processor(which: str) -> NoReturn:
    """Raises UnsupportedImport for a post-processor of another kind."""
    raise UnsupportedImport(
        f"the model has a post-processor of its own, {which[:200]}; its labels and masks are not known here, only "
        "those of anomalib's PostProcessor. Validate and save the model in anomalib with "
        "post_processor=PostProcessor() to import it"
    )


def _post_processing(given: Mapping[object, object]) -> PostProcessing:
    default = PostProcessing()
    return PostProcessing(
        _sensitivity(given.get("image_sensitivity", default.image_sensitivity), "image"),
        _sensitivity(given.get("pixel_sensitivity", default.pixel_sensitivity), "pixel"),
        given.get("enable_threshold_matching") is not False,
        given.get("enable_normalization") is not False,
        given.get("enable_thresholding") is not False,
    )


def _sensitivity(value: object, level: str) -> float:
    """A sensitivity in (0, 1]; None, the default of anomalib 2.0, means 0.5. Raises UnsupportedImport."""
    if value is None:
        return 0.5
    if not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise UnsupportedImport(
            f"the model's {level}_sensitivity is {shown(value)}; more than 0 and at most 1 can be imported"
        )
    return float(value)


def interpolation(value: object) -> str | None:
    """The name, such as `bilinear`, of a recorded InterpolationMode, a string, or Pillow's number for bilinear."""
    return "bilinear" if value == 2 else enum_value(value)

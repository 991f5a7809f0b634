"""Reads anomalib's pre- and post-processors: records of pickled objects, or the plain data of anomalib 2.7."""

from collections.abc import Mapping

from app.errors import UnsupportedImport
from app.importing.records import Name, PickledObject, as_dict, as_list, attribute, enum_value, shown
from app.importing.reference import PostProcessing, Transform

DEFAULT_TRANSFORMS = (
    Transform("Resize", {"size": [256, 256], "antialias": True, "interpolation": "bilinear"}),
    Transform("Normalize", {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}),
)
PACKAGES = ("torchvision.transforms.", "anomalib.data.transforms.")


def recorded_transforms(pre_processor: PickledObject) -> tuple[Transform, ...]:
    """The steps that a recorded PreProcessor applied to pictures in training; raises UnsupportedImport."""
    if pre_processor.name.short != "PreProcessor" or not pre_processor.name.path.startswith("anomalib."):
        raise UnsupportedImport(
            f"the model has a pre-processor of its own, {pre_processor.name.path}; only anomalib's is known"
        )
    return _steps(attribute(pre_processor, "transform"), depth=0)


def plain_transforms(config: object) -> tuple[Transform, ...]:
    """The steps of a pre-processor's configuration; empty if its transform is None. Raises UnsupportedImport."""
    if "transform" not in as_dict(config):
        raise UnsupportedImport("the model has a pre-processor of its own, whose configuration is not known")
    return _steps(as_dict(config)["transform"], depth=0)


def _steps(transform: object, depth: int) -> tuple[Transform, ...]:
    if transform is None:
        return ()
    path, settings = _described(transform)
    if depth > 8 or not path.startswith(PACKAGES):
        raise UnsupportedImport(f"the model's pre-processor has a step that is not known: {path or 'no transform'}")
    name = Name(path).short
    if name == "Compose":
        return tuple(step for inner in as_list(settings.get("transforms")) for step in _steps(inner, depth + 1))
    return (Transform(name, settings),)


def _described(transform: object) -> tuple[str, Mapping[object, object]]:
    if isinstance(transform, PickledObject):
        return transform.name.path, as_dict(transform.state)
    plain = as_dict(transform)
    path = plain.get("class_path")
    return path if isinstance(path, str) else "", as_dict(plain.get("init_args"))


def recorded_post_processing(post_processor: PickledObject) -> PostProcessing:
    """The settings of a recorded PostProcessor; raises UnsupportedImport."""
    if post_processor.name.short != "PostProcessor" or not post_processor.name.path.startswith("anomalib."):
        raise UnsupportedImport(
            f"the model has a post-processor of its own, {post_processor.name.path}; only anomalib's PostProcessor is "
            "known"
        )
    return plain_post_processing(post_processor.state)


def plain_post_processing(config: object) -> PostProcessing:
    """The settings of a post-processor's configuration; missing settings have anomalib's defaults."""
    given, default = as_dict(config), PostProcessing()
    return PostProcessing(
        _sensitivity(given.get("image_sensitivity", default.image_sensitivity), "image"),
        _sensitivity(given.get("pixel_sensitivity", default.pixel_sensitivity), "pixel"),
        given.get("enable_threshold_matching") is not False,
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

"""Imports a file of anomalib as an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from app.artifacts import Entry, ModelRecord, ModelRepository, write_artifact
from app.errors import InvalidTiling, UnsupportedImport
from app.importing.archive import Archive, open_archive
from app.importing.calibration import calibration
from app.importing.checkpoint import read_checkpoint
from app.importing.choices import Choices, require_choices
from app.importing.detectors import imported_detector
from app.importing.exported import read_exported
from app.importing.preprocessing import preprocessing
from app.importing.records import as_dict
from app.importing.reference import NUMBERS, ReferenceModel
from app.importing.tiling import chosen_tiling, differences
from app.pipeline import Preprocessing, TiledModel


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import.

    entry: the version that was written
    taken: what was read from the file, in words
    assumed: the assumptions about what the file does not record, and differences from anomalib, in words
    """

    entry: Entry
    taken: tuple[str, ...]
    assumed: tuple[str, ...]


def import_model(
    path: Path, repository: ModelRepository, name: str, choices: Choices, device: torch.device | str = "cpu"
) -> Imported:
    """Imports a model of anomalib, and writes it as the next version of `name`. Runs no code of the file.

    Reads the checkpoints that anomalib 2.x writes (.ckpt) and the models that it exports with type `torch` (.pt).
    Raises UnsupportedImport, also if `choices` lack what the file does not record, and InvalidTiling if
    `choices.tiling` does not fit the detector.
    """
    repository.require_place(name)  # refuses a bad name or place before the work, not after it
    with open_archive(path) as archive:
        source = _read(archive, path)
        model, taken, assumed = _model(source, archive, choices, device)
    record = ModelRecord(
        protocol="imported",
        calibration_pictures=0,
        false_positive_rate=None,
        dataset=f"imported from {source.origin}",
        pictures=0,
        backbone_weights="from the imported file",
    )
    entry = write_artifact(model, repository, name, record)
    return Imported(entry, taken, assumed)


def _read(archive: Archive, path: Path) -> ReferenceModel:
    content = as_dict(archive.content())
    if "state_dict" in content:
        return read_checkpoint(content)
    if "model" in content:
        return read_exported(content)
    raise UnsupportedImport(
        f"{path} holds neither a checkpoint of Lightning's (state_dict) nor a model that anomalib exported (model)"
    )


def _model(
    source: ReferenceModel, archive: Archive, choices: Choices, device: torch.device | str
) -> tuple[TiledModel, tuple[str, ...], tuple[str, ...]]:
    numbers = _numbers(source, archive)
    require_choices(source, numbers, choices)
    tiling, tiling_in_words, tiling_assumed = chosen_tiling(source, choices.tiling)
    prepared = preprocessing(source.transforms, choices.image_size, choices.antialias, choices.normalisation)
    found, calibration_assumed = calibration(numbers, source.post_processing, choices.thresholds)
    detector = imported_detector(source, prepared, tiling, archive.read)
    try:
        model = TiledModel(detector, prepared, tiling, found, device)
    except InvalidTiling as error:
        if choices.tiling is None:
            raise UnsupportedImport(f"the file's tiling cannot be reproduced: {error}") from error
        raise
    taken = (
        f"{source.origin}: {detector.name}, {_parameters(detector.parameters_of_model)}",
        _in_words(prepared),
        tiling_in_words,
    )
    half, differing = _precision(source), differences(tiling, prepared.image_size)
    raw = f"thresholds: {found.image_threshold:.6g} of pictures, {found.pixel_threshold:.6g} of pixels (raw)"
    return model, (*taken, raw), (*source.assumed, *half, *tiling_assumed, *differing, *calibration_assumed)


def _numbers(source: ReferenceModel, archive: Archive) -> Mapping[str, float]:
    """The post-processor's numbers by name; NaN: the file has none."""
    tensors = {name: source.tensors.get(f"post_processor.{name}") for name in NUMBERS}
    if any(tensor is not None and tensor.shape not in ((), (1,)) for tensor in tensors.values()):
        raise UnsupportedImport("a threshold or range is not a single number; the file is damaged")
    return {name: float("nan") if tensor is None else float(archive.read(tensor)) for name, tensor in tensors.items()}


def _precision(source: ReferenceModel) -> tuple[str, ...]:
    types = {tensor.storage.dtype for name, tensor in source.tensors.items() if name.startswith("model.")}
    reduced = ", ".join(str(kind).removeprefix("torch.") for kind in (torch.float16, torch.bfloat16) if kind in types)
    if not reduced:
        return ()
    return (f"precision: the file's tensors are {reduced}, and float32 here: anomalib's scores are less exact",)


def _parameters(parameters: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {' + '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in parameters.items()
    )


def _in_words(prepared: Preprocessing) -> str:
    size = "as they are" if prepared.image_size is None else "{} x {}".format(*prepared.image_size)
    smooth = "antialiased" if prepared.antialias else "not antialiased"
    return f"preprocessing: pictures {size}, {smooth}, mean {list(prepared.mean)}, std {list(prepared.std)}"

"""The trained version from which a model is taught."""

import torch

from app.artifacts import Artifact, Entry, load_artifact, read_manifest
from app.detectors import OnePassDetector
from app.errors import NotTeachable
from app.teaching.learning.thresholds import RATE


def trained_base(entry: Entry) -> Entry:
    """The version that was trained: the entry itself, or the base of a version that was taught.

    Raises NotTeachable if the base is not there any more.
    """
    manifest = read_manifest(entry.path)
    if manifest.taught is None:
        return entry
    base = Entry(entry.name, manifest.taught.base, entry.path.parent / str(manifest.taught.base))
    if not base.path.is_dir():
        raise NotTeachable(
            f"version {entry.version} of {entry.name!r} was taught from version {base.version}, which is not there any "
            "more, and every lesson begins with the trained version; restore it, or train the model again"
        )
    return base


def read_base(entry: Entry, device: torch.device | str) -> Artifact:
    """The trained base of a version, with its network in float32, so that equal lessons make equal versions.

    Raises NotTeachable, and as `load_artifact`.
    """
    base = trained_base(entry)
    artifact = load_artifact(base, device)
    if base.version != entry.version:
        manifest = read_manifest(entry.path)
        taught = manifest.taught
        if taught is None or taught.base_digest != artifact.digest:
            raise NotTeachable(
                f"version {entry.version} of {entry.name!r} was not taught from the version {base.version} that is "
                "there; teach the model from which it was copied, or train this one again"
            )
        if manifest.zones != artifact.manifest.zones:
            raise NotTeachable(
                f"version {entry.version} of {entry.name!r} has other zones than the version {base.version} from which "
                "it was taught, and every lesson begins with that one; let that version serve, teach it, and set the "
                "zones of the candidate (tessera zones)"
            )
    thresholds = artifact.manifest.calibration.thresholds
    if thresholds is None or not thresholds.image_values:
        detector = artifact.model.detector
        if isinstance(detector, OnePassDetector):
            detector.update(1)  # raises NotTeachable if new thresholds would not help
        rate = artifact.manifest.calibration.false_positive_rate or RATE
        raise NotTeachable(
            f"version {base.version} of {base.name!r} does not keep the scores of the normal pictures that set its "
            "thresholds, which new thresholds need; set them by a folder of pictures without defects that it was not "
            f"trained on (tessera calibrate --name {base.name} --data Folder --data.root FOLDER --false_positive_rate "
            f"{rate:g}), and teach the version that this writes, or train the model again"
        )
    return artifact

"""Trained models as files: they appear in the repository only when complete, and are verified before being served."""

from app.artifacts.camera import BaselineRecord
from app.artifacts.changes import Promoted, copy, delete, live_version, pin_found, promote, rollback, unpin
from app.artifacts.default import read_default, record_default
from app.artifacts.fingerprint import Fingerprint
from app.artifacts.manifest import (
    AlikeRecord,
    CalibrationRecord,
    CandidateRecord,
    DefectSizeRecord,
    DigestRecord,
    FalseAlarmRecord,
    Manifest,
    Protocol,
    Provenance,
    QualityRecord,
    SeenRecord,
    ThresholdRecord,
    TrainingRecord,
    read_manifest,
    read_with_digest,
)
from app.artifacts.mirror import MirroredRepository
from app.artifacts.reader import Artifact, build_artifact, load_artifact, read_artifact, verify_artifact
from app.artifacts.recalibrated import write_recalibrated
from app.artifacts.repository import Entry, ModelRepository
from app.artifacts.serving import Change, Serving
from app.artifacts.transfer import pull, push
from app.artifacts.writer import ModelRecord, write_artifact

__all__ = [
    "AlikeRecord",
    "Artifact",
    "BaselineRecord",
    "CalibrationRecord",
    "CandidateRecord",
    "Change",
    "DefectSizeRecord",
    "DigestRecord",
    "Entry",
    "FalseAlarmRecord",
    "Fingerprint",
    "Manifest",
    "MirroredRepository",
    "ModelRecord",
    "ModelRepository",
    "Promoted",
    "Protocol",
    "Provenance",
    "QualityRecord",
    "SeenRecord",
    "Serving",
    "ThresholdRecord",
    "TrainingRecord",
    "build_artifact",
    "copy",
    "delete",
    "live_version",
    "load_artifact",
    "pin_found",
    "promote",
    "pull",
    "push",
    "read_artifact",
    "read_default",
    "read_manifest",
    "read_with_digest",
    "record_default",
    "rollback",
    "unpin",
    "verify_artifact",
    "write_artifact",
    "write_recalibrated",
]

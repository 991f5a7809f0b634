"""Trained models as files: they appear in the repository only when complete, and are verified before being served."""

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
from app.artifacts.reader import Artifact, build_artifact, load_artifact, read_artifact, verify_artifact
from app.artifacts.recalibrated import write_recalibrated
from app.artifacts.repository import Entry, ModelRepository
from app.artifacts.writer import ModelRecord, write_artifact

__all__ = [
    "AlikeRecord",
    "Artifact",
    "CalibrationRecord",
    "CandidateRecord",
    "DefectSizeRecord",
    "DigestRecord",
    "Entry",
    "FalseAlarmRecord",
    "Fingerprint",
    "Manifest",
    "ModelRecord",
    "ModelRepository",
    "Protocol",
    "Provenance",
    "QualityRecord",
    "SeenRecord",
    "ThresholdRecord",
    "TrainingRecord",
    "build_artifact",
    "load_artifact",
    "read_artifact",
    "read_manifest",
    "read_with_digest",
    "verify_artifact",
    "write_artifact",
    "write_recalibrated",
]

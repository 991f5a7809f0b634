import os
import shutil
from pathlib import Path

import pytest

from app.artifacts import (
    CalibrationRecord,
    DigestRecord,
    Entry,
    ModelRepository,
    QualityRecord,
    load_artifact,
    read_manifest,
    write_recalibrated,
)
from app.errors import DigestMismatch
from tests.repositories import flip_a_bit

FILES = ("weights.safetensors", "golden.safetensors")


@pytest.fixture
def entry(models_dir: Path, tmp_path: Path) -> Entry:
    """A copy of a version, which the test may damage."""
    shutil.copytree(models_dir / "padim" / "1", tmp_path / "padim" / "1")
    return ModelRepository(tmp_path).find("padim")


def write(entry: Entry) -> Entry:
    manifest = read_manifest(entry.path)
    values = manifest.calibration.model_dump() | {"image_threshold": 7.0, "protocol": "manual"}
    record, digests = CalibrationRecord.model_validate(values), DigestRecord.of(["00"])
    return write_recalibrated(entry, ModelRepository(entry.path.parents[1]), record, QualityRecord(), digests)


def test_a_version_shares_the_files_and_keeps_the_rest_of_the_manifest(entry: Entry) -> None:
    before = (entry.path / "manifest.json").read_bytes()
    written = write(entry)
    assert (written.name, written.version) == ("padim", 2)
    for file in FILES:
        assert (written.path / file).samefile(entry.path / file)
    first, second = read_manifest(entry.path), read_manifest(written.path)
    assert (entry.path / "manifest.json").read_bytes() == before
    assert second.calibration.image_threshold == 7.0 and second.calibration.protocol == "manual"
    assert second.provenance.calibrated_from == 1 and first.provenance.calibrated_from is None
    assert second.seen is not None and second.seen.fitted is None and second.seen.calibrated.digests == ("00",)
    changed = {"version", "calibration", "provenance", "quality", "seen"}
    assert second.model_dump(exclude=changed) == first.model_dump(exclude=changed)
    assert load_artifact(written).calibration.image_threshold == 7.0


def test_files_are_copied_where_there_are_no_links(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    written = write(entry)
    for file in FILES:
        assert not (written.path / file).samefile(entry.path / file)
        assert (written.path / file).read_bytes() == (entry.path / file).read_bytes()
        assert (written.path / file).stat().st_mode & 0o777 == 0o644


def test_changed_weights_are_not_shared(entry: Entry) -> None:
    flip_a_bit(entry.path)
    with pytest.raises(DigestMismatch, match="version 1 of 'padim'"):
        write(entry)
    assert [path.name for path in entry.path.parent.iterdir()] == ["1"]

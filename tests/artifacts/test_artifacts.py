import json
import re
import shutil
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from app.artifacts import Entry, ModelRecord, ModelRepository, load_artifact, read_manifest, write_artifact
from app.errors import (
    DigestMismatch,
    GoldenMismatch,
    InvalidArtifact,
    InvalidName,
    MissingFile,
    ModelNotFound,
    UnsupportedSchema,
    VersionNotFound,
)
from app.files import digest, open_regular
from app.pipeline import TiledModel, predict

RECORD = ModelRecord("held-out-normal", 3, 0.05, "surface", 4, "random")


@pytest.fixture
def entry(models_dir: Path, tmp_path: Path) -> Entry:
    """A copy of a version, which the test may damage."""
    shutil.copytree(models_dir / "padim" / "1", tmp_path / "padim" / "1")
    return ModelRepository(tmp_path).find("padim")


def edit(entry: Entry, change: Callable[[dict[str, object]], None]) -> None:
    path = entry.path / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["padim", "patchcore"])
def test_a_loaded_model_predicts_like_the_written_one(models_dir: Path, tmp_path: Path, name: str) -> None:
    artifact = load_artifact(ModelRepository(models_dir).find(name))
    again = load_artifact(write_artifact(artifact.model, ModelRepository(tmp_path), "again", RECORD))
    picture = torch.randint(0, 256, (3, 80, 120), dtype=torch.uint8)
    first, second = predict(artifact.model, picture, 4), predict(again.model, picture, 4)
    assert torch.equal(first.anomaly_map, second.anomaly_map)
    assert first.raw_score == second.raw_score
    assert again.model.tiling == artifact.model.tiling
    assert again.model.preprocessing == artifact.model.preprocessing
    assert again.model.calibration == artifact.model.calibration
    assert (again.name, again.version) == ("again", 1)
    assert again.digest == digest(tmp_path / "again" / "1" / "manifest.json")


def test_versions_count_up(tiny_model: TiledModel, tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path)
    assert [write_artifact(tiny_model, repository, "screw", RECORD).version for _ in range(3)] == [1, 2, 3]
    assert repository.find("screw").version == 3
    assert repository.find("screw", 2).path == tmp_path / "screw" / "2"


def test_other_users_can_read_a_written_version(tiny_model: TiledModel, tmp_path: Path) -> None:
    path = write_artifact(tiny_model, ModelRepository(tmp_path), "screw", RECORD).path
    assert path.stat().st_mode & 0o777 == 0o755
    assert {file.name: file.stat().st_mode & 0o777 for file in path.iterdir()} == {
        "manifest.json": 0o644,
        "weights.safetensors": 0o644,
        "golden.safetensors": 0o644,
    }


def test_a_failed_write_leaves_no_file(tiny_model: TiledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.tensor_files.save_file", full)
    with pytest.raises(OSError, match="Errno 28"):
        write_artifact(tiny_model, ModelRepository(tmp_path), "screw", RECORD)
    assert list((tmp_path / "screw").iterdir()) == []


def test_files_of_a_killed_writer_are_removed_by_the_next_writer(tiny_model: TiledModel, tmp_path: Path) -> None:
    (tmp_path / "screw/.writing-x").mkdir(parents=True)
    (tmp_path / "screw/.writing-x/weights.safetensors").touch()
    write_artifact(tiny_model, ModelRepository(tmp_path), "screw", RECORD)
    assert sorted(path.name for path in (tmp_path / "screw").iterdir()) == [".versions.json", "1", "serving.json"]


def test_unfinished_and_other_directories_are_not_versions(tmp_path: Path) -> None:
    for name in ("screw/.writing-x", "screw/01", "screw/latest", "Screw/1", ".git/1", "screw/2"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    assert [(entry.name, entry.version) for entry in ModelRepository(tmp_path).entries()] == [("screw", 2)]


def test_a_model_that_is_not_calibrated_is_not_written(tiny_model: TiledModel, tmp_path: Path) -> None:
    uncalibrated = TiledModel(tiny_model.detector, tiny_model.preprocessing, tiny_model.tiling)
    with pytest.raises(InvalidArtifact, match="calibrated"):
        write_artifact(uncalibrated, ModelRepository(tmp_path), "screw", RECORD)


@pytest.mark.parametrize("name", ["", "Screw", "../up", "a/b", "-a", "a b"])
def test_invalid_names_are_refused(tiny_model: TiledModel, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidName, match=re.escape(repr(name))):
        write_artifact(tiny_model, ModelRepository(tmp_path), name, RECORD)


def test_unknown_models_and_versions_are_refused_with_the_known_ones(models_dir: Path) -> None:
    repository = ModelRepository(models_dir)
    with pytest.raises(ModelNotFound, match="padim, patchcore"):
        repository.find("screw")
    with pytest.raises(VersionNotFound, match=r"7.* 1, 2"):
        repository.find("patchcore", 7)


def test_a_model_in_a_folder_that_is_missing_is_not_found_because_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"there is no model 'screw', because .*/nowhere is not a directory"):
        ModelRepository(tmp_path / "nowhere").find("screw")


@pytest.mark.parametrize("file", ["weights.safetensors", "golden.safetensors"])
def test_a_flipped_bit_is_detected(entry: Entry, file: str) -> None:
    path = entry.path / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DigestMismatch, match=file):
        load_artifact(entry)


@pytest.mark.parametrize("file", ["manifest.json", "weights.safetensors", "golden.safetensors"])
def test_a_missing_file_is_named(entry: Entry, file: str) -> None:
    (entry.path / file).unlink()
    with pytest.raises(MissingFile, match=file):
        load_artifact(entry)


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors"])
def test_a_file_that_cannot_be_read_is_named(entry: Entry, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def deny(path: Path) -> BufferedReader:
        if path.name == name:
            raise PermissionError(13, "Permission denied")
        return open_regular(path)

    for place in ("app.files", "app.tensor_files"):  # file modes do not stop root, who may run the tests
        monkeypatch.setattr(f"{place}.open_regular", deny)
    with pytest.raises(InvalidArtifact, match=rf"{re.escape(name)}.*Permission denied"):
        load_artifact(entry)


def test_a_newer_schema_is_refused(entry: Entry) -> None:
    edit(entry, lambda manifest: manifest.update(schema_version=99, unheard_of=True))
    with pytest.raises(UnsupportedSchema, match="schema 99"):
        load_artifact(entry)


def test_an_unknown_detector_is_refused(entry: Entry) -> None:
    edit(entry, lambda manifest: manifest.update(detector={"name": "dinomaly", "parameters": {}}))
    with pytest.raises(UnsupportedSchema, match="'dinomaly'"):
        load_artifact(entry)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema_version": 1}', "\x00\xff"])
def test_an_invalid_manifest_is_refused(entry: Entry, content: str) -> None:
    (entry.path / "manifest.json").write_text(content)
    with pytest.raises(InvalidArtifact, match=r"manifest\.json"):
        load_artifact(entry)


def test_a_version_in_the_wrong_place_is_refused(entry: Entry) -> None:
    edit(entry, lambda manifest: manifest.update(version=5))
    with pytest.raises(InvalidArtifact, match="version 5"):
        load_artifact(entry)


def test_tiling_that_cannot_work_is_refused(entry: Entry) -> None:
    edit(entry, lambda manifest: manifest["tiling"].update(stride=[1000, 1000]))  # type: ignore[attr-defined]  # JSON
    with pytest.raises(InvalidArtifact, match="stride height 1000"):
        load_artifact(entry)


def test_changed_weights_are_detected_by_the_golden_sample(entry: Entry) -> None:
    """Although all digests agree. Other software or hardware could cause the same difference."""
    path = entry.path / "weights.safetensors"
    state = {key: tensor.clone() for key, tensor in load_file(path).items()}
    state["mean"] += 0.05 * state["mean"].abs().max()
    save_file(state, path)
    edit(entry, lambda manifest: manifest["files"].update({path.name: digest(path)}))  # type: ignore[attr-defined]
    with pytest.raises(GoldenMismatch, match=r"0\.001"):
        load_artifact(entry)


def test_weights_of_another_shape_are_refused(entry: Entry) -> None:
    edit(entry, lambda manifest: manifest["detector"]["parameters"].update(backbone="resnet34"))  # type: ignore[index]
    with pytest.raises(InvalidArtifact, match="does not hold"):
        load_artifact(entry)


def test_loaded_weights_do_not_change_with_their_file(entry: Entry) -> None:
    model = load_artifact(entry).model
    before = {key: tensor.clone() for key, tensor in model.detector.state_dict().items()}
    path = entry.path / "weights.safetensors"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.detector.state_dict().items())


def test_the_manifest_records_the_origin_of_the_model(models_dir: Path) -> None:
    manifest = read_manifest(models_dir / "padim" / "1")
    assert manifest.provenance.dataset == "surface"
    assert manifest.provenance.pictures == 4
    assert manifest.calibration.protocol == "held-out-normal"
    assert manifest.metrics == {"image_auroc": 0.98}

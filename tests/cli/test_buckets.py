"""Models to and from buckets."""

import json
import shutil
from pathlib import Path

import pytest

from app.artifacts import ModelRepository, read_default
from app.cli import main
from app.cli.commands import parse
from tests.buckets import KEY, SECRET, Bucket
from tests.repositories import add_version

FILES = "golden.safetensors", "manifest.json", "weights.safetensors"


@pytest.fixture
def root(models_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models_dir, tmp_path / "models"))


def run(root: Path, *words: str) -> int:
    return main(["models", *words, "--models_dir", str(root), "--device", "cpu"])


def test_a_pushed_model_is_pulled_with_what_serves(
    root: Path, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--name", "patchcore", "--bucket", bucket.url]
    assert run(root, "pin", "--name", "patchcore", "--version", "1") == 0
    assert run(root, "push", *model) == 0
    assert f"copied versions of patchcore: 1, 2; what serves is the same in {bucket.url}" in capsys.readouterr().err
    assert run(root, "push", *model) == 0
    assert "copied versions of patchcore: none" in capsys.readouterr().err
    other = tmp_path / "other"
    assert run(other, "pull", *model) == 0
    for version in ("1", "2"):
        for file in FILES:
            path = Path("patchcore") / version / file
            assert (other / path).read_bytes() == (root / path).read_bytes()
    assert ModelRepository(other).serving("patchcore") == ModelRepository(root).serving("patchcore")
    assert ModelRepository(other).history("patchcore") == ModelRepository(root).history("patchcore")
    assert run(other, "rollback", "--name", "patchcore") == 0
    assert run(other, "push", *model) == 0
    assert json.loads(bucket.read("patchcore/serving.json"))["pinned"] == 2


def test_the_manifest_of_a_version_is_written_after_its_other_files(root: Path, bucket: Bucket) -> None:
    assert run(root, "push", "--name", "padim", "--bucket", bucket.url) == 0
    written = [path.rpartition("/")[2] for method, path in bucket.server.requests if method == "PUT"]
    assert [file for file in written if file in FILES] == [
        "weights.safetensors",
        "golden.safetensors",
        "manifest.json",
    ]


def test_a_number_with_another_content_is_not_replaced(
    root: Path, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--name", "patchcore", "--bucket", bucket.url]
    assert run(root, "push", *model) == 0
    before = bucket.read("patchcore/2/manifest.json")
    add_version(root / "patchcore/2", root, "patchcore", 2, note=" again")
    add_version(root / "patchcore/2", root, "patchcore", 3)
    for action in ("push", "pull"):
        assert run(root, action, *model) == 1
        assert f"version 2 of model 'patchcore' in {bucket.url} is another one" in capsys.readouterr().err
    assert bucket.read("patchcore/2/manifest.json") == before and "patchcore/3/manifest.json" not in bucket.files()


def test_the_second_model_keeps_the_meaning_of_default(root: Path, bucket: Bucket, tmp_path: Path) -> None:
    for name in ("padim", "patchcore"):
        assert run(root, "push", "--name", name, "--bucket", bucket.url) == 0
    assert json.loads(bucket.read("default.json"))["model"] == "padim"
    for name in ("patchcore", "padim"):
        assert run(tmp_path / "other", "pull", "--name", name, "--bucket", bucket.url) == 0
    assert read_default(tmp_path / "other") == "patchcore"


def test_a_damaged_version_is_not_pushed(root: Path, bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "padim/1/golden.safetensors").write_bytes(b"")
    assert run(root, "push", "--name", "padim", "--bucket", bucket.url) == 1
    assert "has the SHA-256" in capsys.readouterr().err
    assert bucket.files() == []


def test_wrong_bytes_are_not_pulled(
    root: Path, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "push", "--name", "padim", "--bucket", bucket.url) == 0
    bucket.write("padim/1/golden.safetensors", b"no tensors")
    assert run(tmp_path / "other", "pull", "--name", "padim", "--bucket", bucket.url) == 1
    assert f"{bucket.url}/padim/1/golden.safetensors has the SHA-256" in capsys.readouterr().err
    assert ModelRepository(tmp_path / "other").entries() == []


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["push", "--name", "patchcore"], 2, "--bucket"),
        (["pull", "--bucket", "s3://plant/models"], 2, "--name"),
        (["push", "--name", "screw", "--bucket", "BUCKET"], 1, "available: padim, patchcore"),
        (["pull", "--name", "screw", "--bucket", "BUCKET"], 1, "available: none"),
        (["pull", "--name", "patchcore", "--bucket", "s3://no-such-bucket/models"], 1, "it is not there"),
        (["pull", "--name", "patchcore", "--bucket", f"s3://{KEY}:{SECRET}@plant"], 1, "come from the environment"),
    ],
)
def test_what_cannot_be_copied_is_refused(
    words: list[str], status: int, message: str, root: Path, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, *(bucket.url if word == "BUCKET" else word for word in words)) == status
    told = capsys.readouterr().err
    assert message in told and SECRET not in told


def test_a_bucket_in_place_of_a_folder_is_refused_with_what_would_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--models_dir", "s3://plant/models"]) == 2
    told = capsys.readouterr().err
    assert "--models_dir: `tessera models` uses a folder, and no bucket" in told and "tessera models pull" in told


def test_a_bucket_in_the_variable_is_refused_by_the_name_of_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TESSERA_MODELS_DIR", "s3://plant/models")
    assert main(["predict", "x.png", "--name", "screw", "--output", "out"]) == 2
    assert "TESSERA_MODELS_DIR: `tessera predict` uses a folder, and no bucket" in capsys.readouterr().err


def test_a_cluster_takes_models_of_a_bucket() -> None:
    assert str(parse("cluster", ["up", "--models_dir", "s3://plant/models"]).models_dir) == "s3://plant/models"

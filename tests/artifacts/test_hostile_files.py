"""Files of an artifact that nobody wrote as one: each is refused at once, without being read whole."""

import json
import os
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.artifacts import Entry, ModelRepository, load_artifact
from app.errors import InvalidArtifact, ModelTooLarge, TesseraError

FILES = ("manifest.json", "weights.safetensors", "golden.safetensors")


@pytest.fixture(scope="module")
def whole(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(models_dir / "padim/1", tmp_path_factory.mktemp("hostile") / "padim/1"))


@pytest.fixture
def entry(whole: Path, tmp_path: Path) -> Entry:
    """A version whose files are links to good ones, as Kubernetes mounts them, which a test may replace."""
    version = tmp_path / "padim/1"
    (version / "..data").mkdir(parents=True)
    for file in FILES:
        os.link(whole / file, version / "..data" / file)
        (version / file).symlink_to(Path("..data", file))
    return ModelRepository(tmp_path).find("padim")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def looping(path: Path) -> None:
    path.symlink_to(path.name)


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 10 * 2**30)


def endless_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 64)


def empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (pipe, "named pipe"),
        (listening, "socket"),
        (device, "device"),
        (Path.mkdir, "directory"),
        (dangling, "missing"),
        (looping, "cannot be read"),
        (huge, ""),
        (endless_header, ""),
        (empty, ""),
    ],
)
def test_a_file_of_another_kind_is_refused(entry: Entry, file: str, make: Callable[[Path], None], reason: str) -> None:
    (entry.path / file).unlink()
    make(entry.path / file)
    with pytest.raises(InvalidArtifact, match=rf"{file}.*{reason}"):
        load_artifact(entry)


def test_linked_volumes_are_read(entry: Entry) -> None:
    assert load_artifact(entry).version == 1


def test_a_file_that_is_shortened_while_it_is_read_is_refused(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    path = entry.path / "weights.safetensors"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    monkeypatch.setattr("app.tensor_files._require_memory", lambda path, size: os.truncate(path, size // 2))
    with pytest.raises(InvalidArtifact, match=path.name):
        load_artifact(entry)


def test_weights_that_do_not_fit_into_the_memory_are_refused(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.tensor_files.free_memory", lambda: 2**20)
    with pytest.raises(ModelTooLarge, match=r"weights.*0\.0 GiB are free"):
        load_artifact(entry)


def tensor(**changes: object) -> dict[str, object]:
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


@pytest.mark.parametrize(
    "header",
    [
        tensor(shape=[2**40], data_offsets=[0, 2**42]),
        tensor(shape=[2**62, 4]),
        tensor(shape=[0, 2**47, 2**47], data_offsets=[0, 0]),
        tensor(shape=[-2]),
        tensor(shape=[1.5]),
        tensor(shape=[1] * 100_000),
        tensor(shape="2"),
        tensor(data_offsets=[0, 4]),
        tensor(data_offsets=[4, 12]),
        tensor(data_offsets=["0", "8"]),
        tensor(data_offsets=[0, 8, 16]),
        tensor(dtype="F8_E4M3"),
        tensor(dtype=[]),
        {"a": 5},
        {**tensor(), "b": tensor()["a"]},
        [],
        {},
    ],
    ids=lambda header: json.dumps(header)[:60],
)
def test_headers_that_lie_are_refused(entry: Entry, header: object) -> None:
    text = json.dumps(header).encode()
    replace(entry, "weights.safetensors", struct.pack("<Q", len(text)) + text + bytes(8))
    with pytest.raises(InvalidArtifact, match="weights") as refusal:
        load_artifact(entry)
    assert len(str(refusal.value)) < 1000


def replace(entry: Entry, file: str, content: bytes) -> None:
    (entry.path / file).unlink()
    (entry.path / file).write_bytes(content)


def setting(*path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        manifest[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        setting("tiling", "tile_size", value=[2**40, 2**40]),
        setting("tiling", "tile_size", value=[2**15, 2**15]),  # the golden sample has another size
        setting("tiling", "halo", value=10**9),
        setting("tiling", "stride", value=[0, 0]),
        setting("preprocessing", "image_size", value=[10**9, 10**9]),
        setting("detector", "parameters", "n_features", value=10**12),
        setting("detector", "parameters", "layers", value=["layer1"] * 10**5),
        setting("detector", "name", value="x" * 2**20),
        setting("x" * 2**20, value=1),
        setting("version", value=10**4000),
        setting("schema_version", value=10**4000),
    ],
)
def test_manifests_with_impossible_values_are_refused(entry: Entry, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((entry.path / "manifest.json").read_bytes())
    change(manifest)
    replace(entry, "manifest.json", json.dumps(manifest).encode())
    with pytest.raises(TesseraError) as refusal:
        load_artifact(entry)
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize("content", [b"[" * 10**6, b'{"a":' * 10**5, b"9" * 10**5, b'"\\ud800"', b"\xff\xfe"])
def test_manifests_that_break_a_parser_are_refused(entry: Entry, content: bytes) -> None:
    replace(entry, "manifest.json", content)
    with pytest.raises(InvalidArtifact, match=r"manifest\.json"):
        load_artifact(entry)

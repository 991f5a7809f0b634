import pickle
import zipfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch

from app.errors import UnsupportedImport
from app.importing.archive import MAX_PICKLE_BYTES, open_archive
from app.importing.tensors import StoredTensor
from tests.importing.files import Write


def content_of(path: Path) -> object:
    with open_archive(path) as archive:
        return archive.content()


def rewritten(path: Path, replace: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A copy of a torch file with other contents of some entries."""
    copy = path.with_suffix(".copy")
    with ZipFile(path) as source, ZipFile(copy, "w", compression) as target:
        for name in source.namelist():
            target.writestr(name, replace.get(name.partition("/")[2], source.read(name)))
    return copy


def test_files_of_old_torch_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": {}}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(UnsupportedImport, match=r"1\.6"):
        content_of(path)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n", pickle.dumps({"model": 1}), b"<?xml version='1.0'?>"])
def test_other_files_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    with pytest.raises(UnsupportedImport, match="no torch file"):
        content_of(path)


def test_other_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    for names in (["picture.png"], ["a/data.pkl", "b/data.pkl"]):
        with ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, b"x")
        with pytest.raises(UnsupportedImport, match=r"torch\.save"):
            content_of(path)


def test_torchscript_is_refused(write: Write) -> None:
    path = write({})
    with ZipFile(path, "a") as file:
        file.writestr(f"{path.stem}/constants.pkl", b"x")
    with pytest.raises(UnsupportedImport, match="TorchScript"):
        content_of(path)


def test_compressed_entries_are_refused(write: Write) -> None:
    path = rewritten(write({"x": torch.zeros(1000)}), {}, ZIP_DEFLATED)
    with pytest.raises(UnsupportedImport, match="is compressed"):
        content_of(path)


def test_other_byte_orders_are_refused(write: Write) -> None:
    path = rewritten(write({}), {"byteorder": b"big"})
    with pytest.raises(UnsupportedImport, match="big-endian"):
        content_of(path)


def test_a_huge_pickle_is_refused(write: Write) -> None:
    path = rewritten(write({}), {"data.pkl": bytes(MAX_PICKLE_BYTES + 1)})
    with pytest.raises(UnsupportedImport, match=rf"data\.pkl .*{MAX_PICKLE_BYTES + 1} .*{MAX_PICKLE_BYTES} "):
        content_of(path)


def test_a_truncated_file_is_refused(write: Write) -> None:
    path = write({"x": torch.rand(1000)})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UnsupportedImport, match="damaged"):
        content_of(path)


def test_a_tensor_with_changed_bytes_is_refused(write: Write) -> None:
    path = write({"x": torch.full((1000,), 3.0)})
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\0\0\x40\x40" * 4, b"\0\0\x40\x41" * 4, 1))
    with open_archive(path) as archive:
        content = archive.content()
        assert isinstance(content, dict) and isinstance(content["x"], StoredTensor)
        stored = content["x"]
    with pytest.raises(UnsupportedImport, match="damaged"), open_archive(path) as archive:
        archive.read(stored)

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from app.errors import InvalidArtifact
from app.tensor_files import read_tensors

TENSORS = {
    "matrix": torch.randn(3, 5),
    "half": torch.randn(7).half(),
    "numbers": torch.arange(4),
    "flags": torch.tensor([True, False]),
    "scalar": torch.tensor(2.5, dtype=torch.float64),
    "nothing": torch.empty(0, 384),
}


def test_tensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "file")
    found = read_tensors(tmp_path / "file")
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_tensors_do_not_change_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_file(TENSORS, path)
    found = read_tensors(path)
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(found["matrix"], TENSORS["matrix"])


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InvalidArtifact):
        read_tensors(path)

"""A trained model that can be taught."""

import shutil
from pathlib import Path

import pytest

from app.artifacts import ModelRepository


@pytest.fixture
def repository(teachable_dir: Path, tmp_path: Path) -> ModelRepository:
    """A repository of one's own with the PatchCore `lid`, version 1."""
    shutil.copytree(teachable_dir, tmp_path / "models")
    return ModelRepository(tmp_path / "models")

from pathlib import Path

import pytest

from tests.importing.files import Write, saver


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a value with `torch.save`, and returns the file's path."""
    return saver(tmp_path)

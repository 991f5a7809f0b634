from pathlib import Path

import pytest

from tests.importing.files import Write, saver


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a value as `torch.save` does."""
    return saver(tmp_path)

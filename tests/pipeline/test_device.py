import pytest

from app.errors import InvalidDevice
from app.pipeline import resolve_device


def test_devices_are_found_by_name() -> None:
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["tpu", "mps", "cuda:99", "cpu:x"])
def test_devices_that_are_not_here_are_refused(name: str) -> None:
    with pytest.raises(InvalidDevice, match="use auto"):
        resolve_device(name)

import pytest
import torch

from app.errors import InvalidDevice
from app.pipeline import resolve_device, resolve_devices


def test_devices_are_found_by_name() -> None:
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["tpu", "mps", "cuda:99", "cpu:x"])
def test_devices_that_are_not_here_are_refused(name: str) -> None:
    with pytest.raises(InvalidDevice, match="use auto"):
        resolve_device(name)


def test_several_devices_are_named_with_commas() -> None:
    assert resolve_devices("cpu") == (torch.device("cpu"),)
    assert resolve_devices("cpu, cpu") == (torch.device("cpu"), torch.device("cpu"))


@pytest.mark.parametrize("names", ["cpu,", "cpu,tpu", "cpu cpu"])
def test_a_list_with_an_unknown_device_is_refused(names: str) -> None:
    with pytest.raises(InvalidDevice, match="is not known"):
        resolve_devices(names)

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch

from app.errors import InvalidDevice
from app.pipeline import resolve_device, resolve_devices, use_processors


def test_devices_are_found_by_name() -> None:
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["tpu", "mps", "cuda:99", "cpu:x"])
def test_unknown_and_absent_devices_are_refused(name: str) -> None:
    with pytest.raises(InvalidDevice, match=f"'{name}'"):
        resolve_device(name)


def test_several_devices_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_devices("cpu") == (torch.device("cpu"),)
    assert resolve_devices("cuda:0, cuda:1,cpu") == tuple(map(torch.device, ("cuda:0", "cuda:1", "cpu")))


@pytest.mark.parametrize("names", ["cpu,cpu", "auto, cpu, cpu"])
def test_a_device_that_is_listed_twice_is_refused(names: str) -> None:
    with pytest.raises(InvalidDevice, match=rf"'cpu' .*'{names}'"):
        resolve_devices(names)


@pytest.mark.parametrize(("names", "unknown"), [("cpu,", ""), ("cpu,tpu", "tpu"), ("cpu cpu", "cpu cpu")])
def test_a_list_with_an_unknown_device_is_refused(names: str, unknown: str) -> None:
    with pytest.raises(InvalidDevice, match=f"'{unknown}'"):
        resolve_devices(names)


def test_processors_are_limited_for_one_thread_only() -> None:
    before, first_is_set, second_is_set = torch.get_num_threads(), Event(), Event()

    def first() -> int:
        use_processors(3)
        first_is_set.set()
        second_is_set.wait(10)
        torch.ones(10**6).add_(1)  # the first computation, after the other thread set its limit
        return torch.get_num_threads()

    def second() -> int:
        first_is_set.wait(10)
        use_processors(1)
        second_is_set.set()
        return torch.get_num_threads()

    with ThreadPoolExecutor(2) as pool:
        assert [each.result() for each in (pool.submit(first), pool.submit(second))] == [3, 1]
    assert torch.get_num_threads() == before

import asyncio
import shutil
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from app.artifacts import ModelRepository
from app.errors import EngineStopped, ModelLoading, TesseraError, VersionNotFound
from app.service import ModelCatalogue, Reloader, VersionState
from tests.repositories import add_version, flip_a_bit
from tests.waiting import WAIT_S, wait_until


class Counts:
    """Counts loads, and versions that were taken from memory."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.unloaded = self.scans = 0

    def version_tried(self, error: TesseraError | None, seconds: float) -> None:
        self.tried.append("ready" if error is None else error.code)

    def version_unloaded(self) -> None:
        self.unloaded += 1

    def refreshed(self, readable: bool, seconds: float) -> None:
        self.scans += 1


@pytest.fixture
def root(models_dir: Path, tmp_path: Path) -> Path:
    """Version 1 of `padim`, and versions 1 and 2 of `patchcore`, which is the default."""
    return Path(shutil.copytree(models_dir, tmp_path / "models"))


Start = Callable[[int], tuple[ModelCatalogue, Counts]]


@pytest.fixture
def start(root: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(most: int) -> tuple[ModelCatalogue, Counts]:
            counts = Counts()
            catalogue = ModelCatalogue(ModelRepository(root), [torch.device("cpu")], most_loaded=most, observer=counts)
            reloader = Reloader(catalogue, interval_s=0, processors=2)
            reloader.start()
            stack.callback(reloader.stop)
            wait_until(lambda: counts.scans == 1)
            return catalogue, counts

        yield start


def in_memory(catalogue: ModelCatalogue) -> dict[str, bool]:
    return {
        f"{model.name}/{status.entry.version}": status.artifact is not None
        for model in catalogue.models()
        for status in model.versions
    }


def test_the_default_model_is_loaded_first_and_others_are_known(start: Start) -> None:
    catalogue, counts = start(1)
    assert in_memory(catalogue) == {"padim/1": False, "patchcore/1": False, "patchcore/2": True}
    assert {model.name: model.live for model in catalogue.models()} == {"padim": 1, "patchcore": 2}
    assert counts.tried == ["ready"]


def test_earlier_versions_wait_for_a_request_even_if_there_is_room(start: Start) -> None:
    catalogue, _ = start(3)
    assert in_memory(catalogue) == {"padim/1": True, "patchcore/1": False, "patchcore/2": True}
    assert catalogue.wait("patchcore", 1).version == 1


def test_a_request_loads_a_model_and_the_one_that_was_not_used_for_longest_goes(start: Start) -> None:
    catalogue, counts = start(2)
    gone = weakref.ref(catalogue.get("patchcore").model.detector)
    catalogue.get("padim")  # used later
    assert catalogue.wait("patchcore", 1).version == 1
    assert in_memory(catalogue) == {"padim/1": True, "patchcore/1": True, "patchcore/2": False}
    assert counts.unloaded == 1
    wait_until(lambda: gone() is None)


def test_a_model_that_comes_back_is_verified_again(start: Start) -> None:
    catalogue, _ = start(1)
    before = catalogue.get("patchcore")
    assert catalogue.wait("padim").name == "padim"
    after = catalogue.wait("patchcore")
    assert after is not before
    assert after.digest == before.digest
    after.test_device(0)  # reproduces the golden sample


def test_get_asks_for_the_model(start: Start) -> None:
    catalogue, _ = start(1)
    with pytest.raises(ModelLoading, match=r"padim.*requests need it"):
        catalogue.get("padim")
    wait_until(lambda: in_memory(catalogue)["padim/1"])
    assert catalogue.get("padim").version == 1


def test_waiting_requests_share_one_load(start: Start) -> None:
    catalogue, counts = start(2)

    async def several() -> list[int]:
        found = await asyncio.gather(*(catalogue.loaded("patchcore", 1) for _ in range(20)))
        return [artifact.version for artifact in found]

    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(catalogue.wait, "patchcore", 1) for _ in range(4)]
        assert asyncio.run(several()) == [1] * 20
        assert {other.result(WAIT_S).version for other in others} == {1}
    assert counts.tried == ["ready"] * 3


def test_a_request_that_gives_up_leaves_the_load_to_others(start: Start) -> None:
    catalogue, _ = start(1)

    async def one_gives_up() -> str:
        patient = asyncio.create_task(catalogue.loaded("padim"))
        await asyncio.sleep(0)
        with pytest.raises(ModelLoading):
            await catalogue.loaded("padim", most_s=0)
        return (await patient).name

    assert asyncio.run(one_gives_up()) == "padim"


def test_a_damaged_version_is_refused_when_it_is_loaded_and_an_earlier_one_serves(start: Start, root: Path) -> None:
    add_version(root / "padim/1", root, "padim", 2)
    flip_a_bit(root / "padim/2")
    catalogue, counts = start(1)
    assert catalogue.model("padim").live == 2
    with pytest.raises(VersionNotFound, match="digest_mismatch"):
        catalogue.wait("padim", 2)
    assert catalogue.wait("padim").version == 1
    assert counts.tried == ["ready", "digest_mismatch", "ready"]
    catalogue.refresh(again=True)
    assert catalogue.model("padim").live == 1


def test_a_damaged_manifest_is_refused_at_the_scan(start: Start, root: Path) -> None:
    (root / "padim/1/manifest.json").write_text("{")
    catalogue, _ = start(1)
    assert catalogue.model("padim").versions[0].state is VersionState.failed


def test_a_new_version_of_a_model_in_memory_takes_over(start: Start, root: Path) -> None:
    catalogue, _ = start(1)
    add_version(root / "patchcore/1", root, "patchcore", 3)
    add_version(root / "padim/1", root, "padim", 2)
    catalogue.refresh()
    assert catalogue.get("patchcore").version == 3
    assert in_memory(catalogue) == {
        "padim/1": False,
        "padim/2": False,
        "patchcore/1": False,
        "patchcore/2": False,
        "patchcore/3": True,
    }


def test_changed_files_of_an_unloaded_version_are_described_anew(start: Start, root: Path) -> None:
    catalogue, _ = start(1)
    before = catalogue.describe("padim").description
    shutil.rmtree(root / "padim/1")
    add_version(root / "patchcore/1", root, "padim", 1)
    [change] = [change for change in catalogue.refresh() if change.name == "padim"]
    after = catalogue.describe("padim").description
    assert before is not None
    assert after is not None
    assert after.digest != before.digest
    assert change.replaced == (1,)
    assert catalogue.wait("padim").digest == after.digest


def test_a_version_whose_files_are_gone_stays_in_memory(start: Start, root: Path) -> None:
    """It serves from its earlier files, which cannot be loaded again."""
    catalogue, _ = start(1)
    flip_a_bit(root / "patchcore/2")
    catalogue.refresh(again=True)
    assert catalogue.wait("padim").name == "padim"
    assert catalogue.get("patchcore").version == 2
    assert [name for name, is_loaded in in_memory(catalogue).items() if is_loaded] == ["padim/1", "patchcore/2"]


def test_requests_that_wait_end_with_the_server(start: Start) -> None:
    catalogue, _ = start(1)
    catalogue.stop()
    with pytest.raises(EngineStopped):
        catalogue.wait("padim")

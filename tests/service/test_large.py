"""A large picture whose prediction was interrupted has the result of one that was not."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.pipeline import Band, BandOutcome, Question, Runner, TensorRows
from app.service.large import CHECKPOINT, MAP, Large, predict_large
from tests.pipeline.test_scan import direct


class Interrupted(Exception):
    """Stands for whatever ends the work on a job."""


def predicted(artifact: Artifact, picture: torch.Tensor, folder: Path, until: int | None = None) -> tuple[Large, int]:
    """Predicts until so many rows are done; returns the number of bands that ran."""
    ran = 0

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        if until is not None and ran and done >= until:
            raise Interrupted

    def run(band: Band) -> Callable[[], BandOutcome]:
        nonlocal ran
        ran += 1
        return begin(band)

    begin = direct(artifact.model)
    folder.mkdir(exist_ok=True)
    return predict_large(artifact, TensorRows(picture), Question(), folder, report, runner=Runner(run)), ran


@pytest.fixture(scope="module")
def demo() -> Artifact:
    return load_artifact(ModelRepository(Path("models")).find("demo"))


@pytest.fixture
def picture() -> torch.Tensor:
    found = (torch.rand(3, 700, 500, generator=torch.Generator().manual_seed(3)) * 60 + 90).to(torch.uint8)
    found[:, 250:330, 100:140] = 255
    found[0, 560:590, 300:340] = 0
    return found


def test_an_interrupted_prediction_goes_on(
    demo: Artifact, picture: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pipeline.scan.BAND_TILES", 1)
    whole, all_bands = predicted(demo, picture, tmp_path / "whole")
    again, ran = tmp_path / "again", 0
    for until in (1, 300, 600):
        with pytest.raises(Interrupted):
            predicted(demo, picture, again, until)
        with (again / MAP).open("ab") as file:
            file.write(bytes(12345))  # what a kill may leave behind the last checkpoint
    assert (again / CHECKPOINT).exists()
    found, ran = predicted(demo, picture, again)
    assert ran < all_bands
    assert found.judged.judgement == whole.judged.judgement and whole.judged.judgement.regions
    assert (again / MAP).read_bytes() == (tmp_path / "whole" / MAP).read_bytes()


@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda data: b"other", lambda data: b""])
def test_a_checkpoint_that_cannot_be_used_is_not_used(
    demo: Artifact,
    picture: torch.Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setattr("app.pipeline.scan.BAND_TILES", 1)
    small, checkpoint = picture[:, :, :200], tmp_path / "again" / CHECKPOINT
    whole, all_bands = predicted(demo, small, tmp_path / "whole")
    with pytest.raises(Interrupted):
        predicted(demo, small, tmp_path / "again", 300)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    found, ran = predicted(demo, small, tmp_path / "again")
    assert ran == all_bands > 1 and found.judged.judgement == whole.judged.judgement

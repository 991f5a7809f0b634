from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from app.detectors import DETECTORS, GradientDetector
from app.errors import InvalidTraining
from app.pipeline import Preprocessing, TiledModel
from app.tiling import Tiling
from app.training.backpropagation import Backpropagation
from app.training.checkpoint import Checkpoint
from app.training.early_stopping import EarlyStopping
from app.training.gradient import Schedule, fit_by_gradient
from app.training.history import History

NAMES = ["reverse_distillation", "stfpm"]
COUNT = 5


class Killed(Exception):
    """Stands for the end of the process."""


class Surfaces:
    """Pictures of noise; after `killed_after` pictures were read, reading raises Killed."""

    def __init__(self, killed_after: int | None = None) -> None:
        generator = torch.Generator().manual_seed(3)
        self.pictures = (torch.randn(COUNT, 3, 64, 96, generator=generator) * 20 + 128).clamp(0, 255).to(torch.uint8)
        self.left = killed_after

    def __call__(self, order: Sequence[int]) -> Iterator[Tensor]:
        for number in order:
            if self.left == 0:
                raise Killed
            self.left = None if self.left is None else self.left - 1
            yield self.pictures[number]


def new_model(name: str) -> TiledModel:
    torch.manual_seed(0)
    detector = DETECTORS[name](backbone="resnet18", pre_trained=False)
    return TiledModel(detector, Preprocessing(None), Tiling(tile_size=64, stride=32))


def schedule(epochs: int = 3, stopping: EarlyStopping | None = None, every: int = 1) -> Schedule:
    return Schedule(epochs, 2, 3, "32", seed=7, validate_every=every, early_stopping=stopping)


def checkpoint(folder: Path, clock_s: float = 1e6) -> Checkpoint:
    """A checkpoint that is due after every step: each reading of its clock is `clock_s` seconds after the last."""
    times = iter(range(0, 10**9, int(clock_s)))
    return Checkpoint(folder / "state.pt", "surface", lambda: float(next(times)))


def nothing(_: Backpropagation) -> Mapping[str, float]:
    return {"val_loss": 1.0}


def learned(model: TiledModel) -> dict[str, Tensor]:
    return {key: tensor.clone() for key, tensor in model.detector.state_dict().items()}


@pytest.mark.parametrize("name", NAMES)
def test_losses_fall(name: str, tmp_path: Path) -> None:
    model = new_model(name)
    frozen = model.detector.get_submodule("backbone")
    backbone = {key: tensor.clone() for key, tensor in frozen.state_dict().items()}
    never = Checkpoint(tmp_path / "state.pt", "surface")  # is not due in so short a time
    history = fit_by_gradient(model, Surfaces(), COUNT, schedule(4), nothing, never)
    assert history.epochs == 4
    assert history.losses[-1] < 0.7 * history.losses[0]
    assert not model.detector.training
    assert all(torch.equal(backbone[key], each) for key, each in frozen.state_dict().items())


@pytest.mark.parametrize(
    ("name", "killed_after", "epochs"), [("stfpm", 3, 2), ("stfpm", 7, 3), ("reverse_distillation", 3, 1)]
)
def test_a_killed_training_resumes_to_the_same_result(
    name: str, killed_after: int, epochs: int, tmp_path: Path
) -> None:
    expected = new_model(name)
    plan = schedule(epochs)
    history = fit_by_gradient(expected, Surfaces(), COUNT, plan, nothing, Checkpoint(tmp_path / "whole.pt", "surface"))
    with pytest.raises(Killed):
        fit_by_gradient(new_model(name), Surfaces(killed_after), COUNT, plan, nothing, checkpoint(tmp_path / "killed"))
    torch.manual_seed(99)  # a new process has another random state
    resumed = TiledModel(DETECTORS[name](backbone="resnet18"), Preprocessing(None), Tiling(tile_size=64, stride=32))
    backbone = expected.detector.get_submodule("backbone").state_dict()
    resumed.detector.get_submodule("backbone").load_state_dict(backbone)
    again = Surfaces()
    found = fit_by_gradient(resumed, again, COUNT, plan, nothing, checkpoint(tmp_path / "killed"))
    assert found == history
    for key, tensor in learned(resumed).items():
        assert torch.equal(tensor, expected.detector.state_dict()[key]), key


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    fit_by_gradient(new_model("stfpm"), Surfaces(), COUNT, schedule(2), nothing, checkpoint(tmp_path))
    history = fit_by_gradient(new_model("stfpm"), Surfaces(0), COUNT, schedule(2), nothing, checkpoint(tmp_path))
    assert history.epochs == 2


def test_a_checkpoint_of_more_epochs_is_not_used_for_fewer(tmp_path: Path) -> None:
    fit_by_gradient(new_model("stfpm"), Surfaces(), COUNT, schedule(3), nothing, checkpoint(tmp_path))
    surfaces = Surfaces()
    assert fit_by_gradient(new_model("stfpm"), surfaces, COUNT, schedule(2), nothing, checkpoint(tmp_path)).epochs == 2


def test_each_epoch_has_all_pictures_in_an_order_of_its_own(tmp_path: Path) -> None:
    orders: list[list[int]] = []
    surfaces = Surfaces()

    def load(order: Sequence[int]) -> Iterator[Tensor]:
        orders.append(list(order))
        return surfaces(order)

    fit_by_gradient(new_model("stfpm"), load, COUNT, schedule(3), nothing, checkpoint(tmp_path))
    assert [sorted(order) for order in orders] == [list(range(COUNT))] * 3
    assert len({tuple(order) for order in orders}) == 3


class Validations:
    """Returns the given validation losses in turn; `states` has the detector's state at each of them."""

    def __init__(self, model: TiledModel, *values: float) -> None:
        self.model, self.values, self.states = model, iter(values), list[dict[str, Tensor]]()

    def __call__(self, _: Backpropagation) -> Mapping[str, float]:
        assert not self.model.detector.training
        self.states.append(learned(self.model))
        return {"val_loss": next(self.values)}


def test_training_stops_early_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    model = new_model("stfpm")
    validations = Validations(model, 3.0, 1.0, 2.0, 0.95, 2.0)
    stopping = EarlyStopping(patience=3, min_delta=0.1)
    notes: list[str] = []

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        notes.append(note)

    history = fit_by_gradient(
        model, Surfaces(), COUNT, schedule(9, stopping), validations, checkpoint(tmp_path), progress
    )
    assert (history.epochs, history.best_epoch, history.best_value) == (5, 2, 1.0)
    assert notes[-1] == f"stopped early, epoch 5 done, loss {history.losses[-1]:.4g}, val_loss 2, best after 2"
    assert all(torch.equal(validations.states[1][key], each) for key, each in learned(model).items())


def test_validation_runs_at_its_interval_and_after_the_last_epoch(tmp_path: Path) -> None:
    model = new_model("stfpm")
    validations = Validations(model, *range(9))
    history = fit_by_gradient(model, Surfaces(), COUNT, schedule(5, every=2), validations, checkpoint(tmp_path))
    assert history.validations == {2: {"val_loss": 0}, 4: {"val_loss": 1}, 5: {"val_loss": 2}}


def test_a_loss_of_nan_ends_training(tmp_path: Path) -> None:
    model = new_model("stfpm")
    assert isinstance(model.detector, GradientDetector)
    with torch.no_grad():
        next(model.detector.learners[0].parameters()).fill_(torch.nan)
    with pytest.raises(InvalidTraining, match=r"\bnan\b.*\b1\b"):
        fit_by_gradient(model, Surfaces(), COUNT, schedule(), nothing, checkpoint(tmp_path))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32", "bf16", "16"])
def test_losses_fall_on_a_gpu_in_any_precision(precision: str, tmp_path: Path) -> None:
    model = new_model("reverse_distillation")
    model = TiledModel(model.detector, model.preprocessing, model.tiling, device="cuda")
    plan = Schedule(8, 2, 3, precision, seed=7)  # type: ignore[arg-type]  # one of the literals
    history = fit_by_gradient(model, Surfaces(), COUNT, plan, nothing, checkpoint(tmp_path))
    assert history.losses[-1] < 0.8 * history.losses[0]


def test_a_note_has_the_epoch_the_losses_and_the_best_epoch() -> None:
    history = History([0.5, 0.25], {2: {"val_loss": 0.125}}, best_epoch=2, best_value=0.125)
    assert history.note(10) == "epoch 3 of 10, loss 0.25, val_loss 0.125, best after 2"

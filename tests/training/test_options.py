import pytest
import torch

from app.errors import InvalidTraining
from app.tiling import Tiling, TilingMode
from app.training import EarlyStopping, TilerConfigurationCallback, TrainerOptions
from app.training.precision import resolve_precision


def test_a_callback_can_set_the_tiling() -> None:
    callback = TilerConfigurationCallback(enable=True, tile_size=[128, 64], stride=64, mode=TilingMode.interpolation)
    expected = Tiling(True, [128, 64], 64, mode=TilingMode.interpolation)
    assert TrainerOptions(callbacks=[EarlyStopping(), callback]).tiling == expected
    assert TrainerOptions(callbacks=callback).tiling == expected
    assert TrainerOptions().tiling is None


def test_a_callback_can_set_early_stopping() -> None:
    stopping = EarlyStopping("pixel_AUROC", patience=5, mode="max")
    assert TrainerOptions(callbacks=[TilerConfigurationCallback(), stopping]).early_stopping == stopping
    assert TrainerOptions().early_stopping is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_epochs": 0}, r"max_epochs\b.*\b0\b"),
        ({"batch_tiles": 0}, r"batch_tiles\b.*\b0\b"),
        ({"callbacks": [EarlyStopping(), EarlyStopping()]}, "EarlyStopping"),
    ],
)
def test_options_that_cannot_work_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidTraining, match=message):
        TrainerOptions(**arguments)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"monitor": "loss"}, "'loss'.*train_loss, val_loss, image_AUROC, pixel_AUROC"),
        ({"patience": 0}, r"patience\b.*\b0\b"),
        ({"min_delta": -1.0}, r"min_delta\b.*-1\.0"),
        ({"monitor": "pixel_AUROC", "mode": "min"}, "'min'.*pixel_AUROC.*'max'"),
        ({"mode": "max"}, "'max'.*val_loss.*'min'"),
    ],
)
def test_early_stopping_that_cannot_work_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidTraining, match=message):
        EarlyStopping(**arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_losses_improve_downward_and_aurocs_upward() -> None:
    assert EarlyStopping().improves(0.5, None)
    assert EarlyStopping(min_delta=0.1).improves(0.3, 0.5)
    assert not EarlyStopping(min_delta=0.1).improves(0.45, 0.5)
    assert EarlyStopping("image_AUROC").improves(0.6, 0.5)
    assert not EarlyStopping("image_AUROC").improves(0.5, 0.5)


def test_a_cpu_trains_in_single_precision() -> None:
    assert resolve_precision("auto", torch.device("cpu")) == "32"
    with pytest.raises(InvalidTraining, match=r"\bbf16\b.*\bcpu\b"):
        resolve_precision("bf16", torch.device("cpu"))
    with pytest.raises(InvalidTraining, match="'64'"):
        resolve_precision("64", torch.device("cpu"))  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.gpu
def test_a_gpu_trains_in_half_precision() -> None:
    assert resolve_precision("auto", torch.device("cuda")) in ("bf16", "16")

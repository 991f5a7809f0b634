from typing import Any

import pytest
import torch
from torch import nn

from app.errors import UnsupportedImport
from app.importing.archive import open_archive
from app.importing.checkpoint import read_checkpoint
from app.importing.components import DEFAULT_TRANSFORMS
from app.importing.records import as_dict
from app.importing.reference import PostProcessing, ReferenceModel
from tests.importing.files import NUMBERS, Write, checkpoint_of, class_of, fitted


@pytest.fixture
def content() -> dict[str, Any]:
    return checkpoint_of(fitted("patchcore"))


def older(content: dict[str, Any], **hyperparameters: object) -> dict[str, Any]:
    """The checkpoint as anomalib before 2.7 wrote it: processors are hyperparameters."""
    kept = {key: value for key, value in content.items() if not key.startswith("anomalib_")}
    return {**kept, "hyper_parameters": {**content["hyper_parameters"], **hyperparameters}}


def read(write: Write, content: object) -> ReferenceModel:
    with open_archive(write(content)) as archive:
        return read_checkpoint(as_dict(archive.content()))


def test_processors_are_read_from_plain_data(write: Write, content: dict[str, Any]) -> None:
    content["anomalib_post_processor_config"] |= {"image_sensitivity": 0.3, "enable_threshold_matching": False}
    source = read(write, content)
    assert [step.name for step in source.transforms] == ["Resize", "Normalize"]
    assert source.transforms[0].settings["size"] == [64, 96]
    assert source.post_processing == PostProcessing(0.3, 0.5, False)
    assert not source.tiler_is_recorded and not source.assumed


def test_processors_are_read_from_pickled_objects(
    write: Write, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as classes:
        pre = class_of("anomalib.pre_processing.pre_processor.PreProcessor", nn.Module, classes)()
        resize = class_of("torchvision.transforms.v2._geometry.Resize", nn.Module, classes)()
        resize.__dict__ |= {"size": [32, 48], "antialias": True}
        pre.add_module("transform", resize)
        post = class_of("anomalib.post_processing.post_processor.PostProcessor", nn.Module, classes)()
        post.__dict__ |= {"image_sensitivity": 0.7, "pixel_sensitivity": None}
        source = read(write, older(content, pre_processor=pre, post_processor=post))
    assert [(step.name, step.settings["size"]) for step in source.transforms] == [("Resize", [32, 48])]
    assert source.post_processing == PostProcessing(0.7, 0.5)


def test_older_versions_do_not_record_their_default_pre_processor(write: Write, content: dict[str, Any]) -> None:
    source = read(write, older(content, pre_processor=True, post_processor=True))
    assert source.transforms == DEFAULT_TRANSFORMS
    assert source.unrecorded == "size"


def test_a_model_without_a_pre_processor_has_no_transforms(write: Write, content: dict[str, Any]) -> None:
    assert read(write, older(content, pre_processor=False)).transforms == ()
    content["anomalib_components_enabled"]["pre_processor"] = False
    source = read(write, content)
    assert source.transforms == () and source.unrecorded is None


def test_a_transform_that_was_not_stored_is_not_recorded(write: Write, content: dict[str, Any]) -> None:
    content["anomalib_pre_processor_config"] = {"transform": None}
    source = read(write, content)
    assert source.transforms == ()
    assert source.unrecorded == "transform"


def test_a_model_without_a_post_processor_has_no_thresholds(write: Write, content: dict[str, Any]) -> None:
    content["anomalib_components_enabled"]["post_processor"] = False
    for name in NUMBERS:
        del content["state_dict"][f"post_processor.{name}"]
    assert read(write, content).post_processing == PostProcessing(thresholding=False)
    assert read(write, older(content, post_processor=False)).detector == "patchcore"


def test_custom_processors_are_refused(write: Write, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    own = class_of("mine.Sharpener", nn.Module, monkeypatch)()
    with pytest.raises(UnsupportedImport, match=r"pre-processor .*mine\.Sharpener"):
        read(write, older(content, pre_processor=own))
    with pytest.raises(UnsupportedImport, match=r"post-processor .*mine\.Sharpener"):
        read(write, older(content, post_processor=own))
    del content["anomalib_pre_processor_config"]
    with pytest.raises(UnsupportedImport, match="checkpoint does not"):
        read(write, content)


def test_tensors_are_not_read_before_they_are_needed(write: Write, content: dict[str, Any]) -> None:
    content["optimizer_states"] = [{"state": {0: {"exp_avg": torch.zeros(1000, 1000)}}}]
    source = read(write, content)
    assert all(key.startswith(("model.", "post_processor.", "_is_fitted")) for key in source.tensors)

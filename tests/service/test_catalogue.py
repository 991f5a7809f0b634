import json
import os
import re
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.artifacts import ModelRepository
from app.errors import ModelLoading, ModelNotFound, UnreadableRepository, VersionNotFound
from app.service import ModelCatalogue, VersionState
from tests.repositories import add_version, flip_a_bit

CPU = torch.device("cpu")


@pytest.fixture
def copied(models_dir: Path, tmp_path: Path) -> Path:
    """A copy of the model repository, which a test may damage."""
    return Path(shutil.copytree(models_dir, tmp_path / "models"))


def catalogue(root: Path, default: str | None = None) -> ModelCatalogue:
    return ModelCatalogue(ModelRepository(root), [CPU], default)


def loaded(root: Path, default: str | None = None) -> ModelCatalogue:
    found = catalogue(root, default)
    found.refresh()
    return found


def test_newest_version_is_served_unless_a_version_is_given(models_dir: Path) -> None:
    models = loaded(models_dir)
    assert models.get("patchcore").version == 2
    assert models.get("patchcore", 1).version == 1
    assert models.started


def test_unknown_names_and_versions_are_refused_with_the_known_ones(models_dir: Path) -> None:
    models = loaded(models_dir)
    with pytest.raises(ModelNotFound, match=r"'screw'.*padim, patchcore"):
        models.get("screw")
    with pytest.raises(VersionNotFound, match=r"'patchcore'.*\b3\b.*\b1, 2\b"):
        models.get("patchcore", 3)


def test_default_is_the_model_that_the_setting_names(models_dir: Path) -> None:
    models = loaded(models_dir, default="padim")
    assert models.get("default").name == "padim"
    assert [model.name for model in models.models() if model.default] == ["padim"]


def test_default_is_the_only_model(copied: Path) -> None:
    shutil.rmtree(copied / "padim")
    assert loaded(copied).model("default").name == "patchcore"


def test_default_is_the_model_with_that_name(copied: Path) -> None:
    (copied / "padim").rename(copied / "default")
    (copied / "default.json").unlink()
    assert loaded(copied).model("default").name == "default"


def test_default_of_several_must_be_set(copied: Path) -> None:
    (copied / "default.json").unlink()
    with pytest.raises(ModelNotFound, match=r"default.*padim, patchcore"):
        loaded(copied).get("default")


def test_default_stays_what_it_was_when_models_are_added_and_after_a_restart(copied: Path) -> None:
    assert loaded(copied).get("default").name == "patchcore"  # recorded when padim was written
    (copied / "default.json").unlink()
    (copied / "padim").rename(copied / ".away")
    models = loaded(copied)
    (copied / ".away").rename(copied / "padim")  # by hand
    models.refresh()
    assert models.get("default").name == "patchcore"
    assert loaded(copied).get("default").name == "patchcore"
    (copied / "default.json").write_text("{")
    models.refresh()
    assert models.get("default").name == "patchcore"


def test_a_missing_default_is_logged(models_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    models = loaded(models_dir, default="screw")
    assert "'screw'" in caplog.text
    with pytest.raises(ModelNotFound, match="'screw'"):
        models.get("default")


def lose_a_file(version: Path) -> None:
    (version / "golden.safetensors").unlink()


def use_a_newer_schema(version: Path) -> None:
    manifest = json.loads((version / "manifest.json").read_text())
    (version / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 99}))


def garble_the_manifest(version: Path) -> None:
    (version / "manifest.json").write_bytes(b"\xff{")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (flip_a_bit, "digest_mismatch"),
        (lose_a_file, "missing_file"),
        (use_a_newer_schema, "unsupported_schema"),
        (garble_the_manifest, "invalid_artifact"),
    ],
)
def test_a_damaged_version_is_refused_and_the_others_are_served(
    copied: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], code: str
) -> None:
    damage(copied / "patchcore" / "2")
    models = loaded(copied)
    assert models.get("patchcore").version == 1
    assert models.get("padim").version == 1
    refused = models.model("patchcore").versions[1]
    assert refused.state == "failed" and refused.error is not None and refused.error.code == code
    assert any("patchcore version 2" in line and code in line for line in caplog.messages)
    with pytest.raises(VersionNotFound, match=rf"\b2\b.*'patchcore'.*\b{code}\b.*\b1\b"):
        models.get("patchcore", 2)


def test_a_model_without_a_loadable_version_is_listed(copied: Path) -> None:
    lose_a_file(copied / "padim" / "1")
    models = loaded(copied)
    assert models.model("padim").live is None
    assert [models.count(state) for state in (VersionState.ready, VersionState.failed, VersionState.loading)] == [
        2,
        1,
        0,
    ]
    with pytest.raises(VersionNotFound, match=r"'padim'.*\bnone\b"):
        models.get("padim")


def test_before_the_first_scan_models_are_loading(models_dir: Path) -> None:
    models = catalogue(models_dir)
    assert not models.started
    with pytest.raises(ModelLoading):
        models.get("patchcore")


def test_a_stopped_catalogue_loads_no_version(models_dir: Path) -> None:
    models = catalogue(models_dir)
    models.stop()
    models.refresh()
    assert (models.count(VersionState.ready), models.count(VersionState.loading)) == (0, 3)
    with pytest.raises(ModelLoading, match=r"\b2\b.*'patchcore'"):
        models.get("patchcore")


def test_empty_repository_has_no_models(tmp_path: Path) -> None:
    models = loaded(tmp_path)
    assert models.models() == []
    with pytest.raises(ModelNotFound, match="there is no model in models_dir"):
        models.get("default")


def test_a_new_version_and_a_new_model_are_found_by_the_next_scan(copied: Path) -> None:
    models = loaded(copied)
    add_version(copied / "patchcore/2", copied, "patchcore", 3)
    add_version(copied / "padim/1", copied, "screw", 1)
    changed = {model.name: model for model in models.refresh()}
    assert changed["patchcore"].added == (3,) and changed["screw"].added == (1,) and changed["padim"].added == ()
    assert models.get("patchcore").version == 3
    assert models.get("screw").version == 1


def test_removed_and_replaced_versions_are_freed(copied: Path) -> None:
    models = loaded(copied)
    removed, replaced = (weakref.ref(models.get("patchcore", version).model.detector) for version in (1, 2))
    in_flight = models.get("patchcore", 2)
    shutil.rmtree(copied / "patchcore/1")
    add_version(copied / "patchcore/2", copied, "patchcore", 2, note=" again")
    (_, changed) = models.refresh()
    assert (changed.removed, changed.replaced, changed.ready) == ((1,), (2,), (2,))
    assert removed() is None
    assert replaced() is not None and in_flight.digest != models.get("patchcore", 2).digest
    del in_flight
    assert replaced() is None


def test_a_refused_replacement_keeps_the_loaded_version_and_no_traceback(
    copied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models = loaded(copied)
    before = models.get("patchcore", 2)
    flip_a_bit(copied / "patchcore/2")
    models.refresh()
    status = models.model("patchcore").versions[1]
    assert status.artifact is before and status.error is not None and status.error.code == "digest_mismatch"
    assert (status.error.__traceback__, status.error.__cause__, status.error.__context__) == (None, None, None)
    assert any("patchcore version 2" in line and "digest_mismatch" in line for line in caplog.messages)
    flip_a_bit(copied / "patchcore/2")
    models.refresh()
    assert models.get("patchcore", 2) is before  # repaired: nothing was loaded
    assert models.model("patchcore").versions[1].error is None


def test_a_failed_version_is_tried_again_only_if_its_files_change_or_on_request(
    copied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flip_a_bit(copied / "padim/1")
    models = loaded(copied)
    models.refresh()
    models.refresh("patchcore", again=True)
    assert sum("digest_mismatch" in line for line in caplog.messages) == 1
    models.refresh("padim", again=True)
    assert sum("digest_mismatch" in line for line in caplog.messages) == 2
    flip_a_bit(copied / "padim/1")
    models.refresh()
    assert models.get("padim").version == 1


def test_a_version_that_is_being_copied_is_served_once_it_is_complete(copied: Path) -> None:
    models = loaded(copied)
    whole = add_version(copied / "patchcore/2", copied, "elsewhere", 3)
    manifest = json.loads((whole / "manifest.json").read_text()) | {"name": "patchcore"}
    growing = copied / "patchcore/3"
    growing.mkdir()
    for file in ("golden.safetensors", "weights.safetensors", "manifest.json"):
        models.refresh()
        assert models.get("patchcore").version == 2
        assert models.model("patchcore").versions[2].state == "failed"
        shutil.copy(whole / file, growing)
    (growing / "manifest.json").write_text(json.dumps(manifest))
    models.refresh()
    assert models.get("patchcore").version == 3


def test_touched_files_are_verified_and_not_loaded_again(copied: Path) -> None:
    models = loaded(copied)
    before = models.get("padim")
    os.utime(copied / "padim/1/weights.safetensors")
    (changed, _) = models.refresh()
    assert models.get("padim") is before
    assert (changed.replaced, changed.failed) == ((), ())


def test_a_missing_repository_withdraws_no_model(copied: Path, caplog: pytest.LogCaptureFixture) -> None:
    models = loaded(copied)
    copied.rename(copied.with_name("away"))
    for _ in range(2):
        with pytest.raises(UnreadableRepository, match=re.escape(str(copied))):
            models.refresh()
    assert models.get("patchcore").version == 2
    assert caplog.text.count(str(models.problem)) == 1
    copied.with_name("away").rename(copied)
    models.refresh()
    assert models.get("patchcore").version == 2
    assert models.problem is None


@pytest.mark.parametrize(("first", "words"), [(True, "loaded models stay served"), (False, "no model is loaded yet")])
def test_an_unreadable_repository_says_whether_models_are_served(
    copied: Path, first: bool, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = loaded(copied) if first else catalogue(copied)
    shutil.rmtree(copied)
    with pytest.raises(UnreadableRepository):
        found.refresh()
    assert words in caplog.text

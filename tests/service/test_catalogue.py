import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.artifacts import ModelRepository
from app.errors import ModelLoading, ModelNotFound, VersionNotFound
from app.service import ModelCatalogue

CPU = torch.device("cpu")


@pytest.fixture
def copied(models_dir: Path, tmp_path: Path) -> Path:
    """A repository of one's own to damage."""
    return Path(shutil.copytree(models_dir, tmp_path / "models"))


def catalogue(root: Path, default: str | None = None) -> ModelCatalogue:
    return ModelCatalogue(ModelRepository(root), [CPU], default)


def loaded(root: Path, default: str | None = None) -> ModelCatalogue:
    found = catalogue(root, default)
    found.load()
    return found


def test_newest_version_is_served_unless_one_is_asked_for(models_dir: Path) -> None:
    models = loaded(models_dir)
    assert models.get("patchcore").version == 2
    assert models.get("patchcore", 1).version == 1
    assert not models.loading


def test_unknown_names_are_answered_with_what_there_is(models_dir: Path) -> None:
    models = loaded(models_dir)
    with pytest.raises(ModelNotFound, match=r"'screw'; there is: padim, patchcore"):
        models.get("screw")
    with pytest.raises(VersionNotFound, match=r"no version 3; there is: 1, 2"):
        models.get("patchcore", 3)


def test_default_is_the_model_that_the_setting_names(models_dir: Path) -> None:
    models = loaded(models_dir, default="padim")
    assert models.get("default").name == "padim"
    assert [model.name for model in models.models() if model.default] == ["padim"]


def test_default_is_the_only_model(copied: Path) -> None:
    shutil.rmtree(copied / "padim")
    assert catalogue(copied).model("default").name == "patchcore"


def test_default_is_a_model_of_that_name(copied: Path) -> None:
    (copied / "padim").rename(copied / "default")
    assert catalogue(copied).model("default").name == "default"


def test_default_of_several_must_be_set(models_dir: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no default model is set; name one of these: padim, patchcore"):
        catalogue(models_dir).get("default")


def test_missing_default_is_told_in_the_log(models_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    models = loaded(models_dir, default="screw")
    assert "the default model 'screw' is not in the repository" in caplog.text
    with pytest.raises(ModelNotFound, match="'screw'"):
        models.get("default")


def flip_a_bit(version: Path) -> None:
    weights = bytearray((version / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (version / "weights.safetensors").write_bytes(weights)


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
    assert f"model patchcore version 2 is refused ({code})" in caplog.text
    with pytest.raises(VersionNotFound, match=rf"version 2 .* \({code}\); ready is: 1"):
        models.get("patchcore", 2)


def test_a_model_without_a_loadable_version_is_listed(copied: Path) -> None:
    lose_a_file(copied / "padim" / "1")
    models = loaded(copied)
    assert models.model("padim").newest is None
    assert [models.count(state) for state in ("ready", "failed", "loading")] == [2, 1, 0]
    with pytest.raises(VersionNotFound, match=r"ready is: none"):
        models.get("padim")


def test_before_loading_models_are_known_but_not_there(models_dir: Path) -> None:
    models = catalogue(models_dir)
    assert models.loading
    assert [model.name for model in models.models()] == ["padim", "patchcore"]
    with pytest.raises(ModelLoading, match="still being loaded"):
        models.get("patchcore")
    with pytest.raises(ModelLoading):
        models.get("patchcore", 1)


def test_stopped_catalogue_loads_no_more(models_dir: Path) -> None:
    models = catalogue(models_dir)
    models.stop()
    models.load()
    assert models.count("ready") == 0


def test_empty_repository_has_no_models(tmp_path: Path) -> None:
    models = loaded(tmp_path)
    assert models.models() == []
    with pytest.raises(ModelNotFound, match="none"):
        models.get("default")

from dataclasses import replace
from pathlib import Path

import pytest

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact
from app.errors import DigestMismatch, ModelLoading, ModelNotFound, VersionNotFound
from app.service.reloaded import ReloadedModel, compare
from app.service.version_table import VersionTable

OLD, NEW = ((1, 2, 3, 4),), ((1, 2, 3, 5),)  # fingerprints
DAMAGE = DigestMismatch("the file was changed")


def entry(version: int, name: str = "steel") -> Entry:
    return Entry(name, version, Path(name) / str(version))


@pytest.fixture(scope="module")
def loaded(models_dir: Path) -> Artifact:
    return load_artifact(ModelRepository(models_dir).find("patchcore", 1))


def made(loaded: Artifact, version: int, digest: str = "a", name: str = "steel") -> Artifact:
    return replace(loaded, name=name, version=version, digest=digest)


@pytest.fixture
def serving(loaded: Artifact) -> VersionTable:
    """Versions 1 and 2 of one model are ready."""
    table = VersionTable().found({entry(1): OLD, entry(2): OLD})
    for status in table.due():
        table = table.loaded(status, made(loaded, status.entry.version))
    return table


def served(table: VersionTable, name: str, version: int | None = None) -> Artifact:
    artifact = table.meant(name, version).artifact
    assert artifact is not None
    return artifact


def test_before_the_first_scan_models_are_loading() -> None:
    with pytest.raises(ModelLoading):
        served(VersionTable(), "steel")
    with pytest.raises(ModelNotFound, match="there is no model in models_dir; train one"):
        served(VersionTable().found({}), "steel")


def test_the_newest_versions_are_loaded_first() -> None:
    table = VersionTable().found({entry(version, name): OLD for version in (1, 2, 10) for name in ("steel", "wood")})
    assert [(due.entry.name, due.entry.version) for due in table.due()] == [
        (name, version) for version in (10, 2, 1) for name in ("steel", "wood")
    ]


def test_unchanged_versions_are_not_due(serving: VersionTable) -> None:
    assert serving.due() == []
    assert serving.found({entry(1): OLD, entry(2): OLD}) == serving


def test_a_version_that_is_loading_leaves_the_newest_ready_one_served(serving: VersionTable, loaded: Artifact) -> None:
    table = serving.found({entry(version): OLD for version in (1, 2, 3)})
    assert served(table, "steel").version == 2
    with pytest.raises(ModelLoading, match=r"\b3\b.*'steel'"):
        served(table, "steel", 3)
    (due,) = table.due()
    assert served(table.loaded(due, made(loaded, 3)), "steel").version == 3
    assert served(serving, "steel").version == 2  # a table is immutable


def test_a_refused_version_is_due_again_only_if_its_files_change_or_on_request(serving: VersionTable) -> None:
    files = {entry(1): OLD, entry(2): OLD, entry(3): OLD}
    table = serving.found(files)
    table = table.refused(table.due()[0], DAMAGE)
    assert served(table, "steel").version == 2
    with pytest.raises(VersionNotFound, match=r"\b3\b.*'steel'.*\bdigest_mismatch\b.*\b1, 2\b"):
        served(table, "steel", 3)
    assert table.found(files).due() == []
    assert [due.entry for due in table.found(files, again=True).due()] == [entry(3)]
    assert table.found(files, only="wood", again=True).due() == []
    changed = table.found(files | {entry(3): NEW})
    assert [due.entry for due in changed.due()] == [entry(3)]
    assert changed.model("steel").versions[2].state == "failed"  # until the changed files were tried


def test_files_that_changed_while_they_were_loaded_are_due_again(serving: VersionTable, loaded: Artifact) -> None:
    table = serving.found({entry(3): OLD})
    table = table.loaded(table.due()[0], made(loaded, 3)).found({entry(3): NEW})
    assert [due.entry for due in table.due()] == [entry(3)]


def test_the_old_content_of_a_replaced_version_is_served_until_the_new_content_is_loaded(
    serving: VersionTable, loaded: Artifact
) -> None:
    table = serving.found({entry(1): OLD, entry(2): NEW})
    assert served(table, "steel", 2).digest == "a" and table.model("steel").versions[1].state == "ready"
    refused = table.refused(table.due()[0], DAMAGE)
    assert served(refused, "steel").digest == "a"
    assert refused.model("steel").versions[1].error is DAMAGE
    assert refused.due() == []
    swapped = table.loaded(table.due()[0], made(loaded, 2, "b"))
    assert served(swapped, "steel").digest == "b"


def test_after_a_removal_the_next_newest_version_is_served(serving: VersionTable) -> None:
    table = serving.found({entry(1): OLD})
    assert served(table, "steel").version == 1
    with pytest.raises(VersionNotFound, match=r"\b2\b.*\b1\b"):
        served(table, "steel", 2)
    with pytest.raises(ModelNotFound, match="there is no model in models_dir; train one"):
        served(serving.found({}), "steel")


def test_a_scan_of_one_model_does_not_change_the_others(serving: VersionTable) -> None:
    table = serving.found({entry(1, "wood"): OLD}, only="wood")
    assert table.names == ["steel", "wood"]
    assert served(table, "steel").version == 2
    assert [due.entry.name for due in table.found({}, only="steel").due()] == ["wood"]


def test_changes_are_reported_for_each_model(serving: VersionTable, loaded: Artifact) -> None:
    after = serving.found({entry(2): NEW, entry(3): OLD, entry(4): OLD, entry(1, "wood"): OLD})
    for status in after.due("steel"):
        version = status.entry.version
        after = after.refused(status, DAMAGE) if version == 4 else after.loaded(status, made(loaded, version, "b"))
    steel = ReloadedModel("steel", 3, ready=(2, 3), added=(3,), replaced=(2,), removed=(1,), failed=((4, DAMAGE),))
    wood = ReloadedModel("wood", None, ready=(), added=(), replaced=(), removed=(), failed=())
    assert compare(serving, after) == [steel, wood]
    assert compare(serving, after, "steel") == [steel]
    assert compare(serving, serving.found({}))[0].removed == (1, 2)

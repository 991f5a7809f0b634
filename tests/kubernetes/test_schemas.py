"""Every manifest is rendered, and fits the schemas of Kubernetes."""

import json
import re

import kubernetes_validate
import pytest
import yaml

from app.version import VERSION
from tests.kubernetes.rendering import (
    EXAMPLES,
    FOLDERS,
    ROOT,
    SERVERS,
    Manifest,
    containers,
    needs_kubectl,
    only,
    rendered,
    server,
    template,
)

VERSIONS = ("1.30", "1.37")
"""The oldest and the newest version of Kubernetes that docs/kubernetes.md names."""

pytestmark = needs_kubectl


def is_native(manifest: Manifest) -> bool:
    """Whether Kubernetes itself has the schema, and not an operator."""
    group = manifest["apiVersion"].rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_fits_the_schema_of_its_kind(version: str) -> None:
    manifests = {json.dumps(each): each for folder in FOLDERS for each in rendered(folder) if is_native(each)}
    assert len(manifests) > len(FOLDERS)
    for manifest in manifests.values():
        assert kubernetes_validate.validate(dict(manifest), version, strict=True) == version


def test_a_manifest_with_a_misspelt_field_is_refused() -> None:
    manifest = json.loads(json.dumps(only("overlays/cpu", "Deployment")))
    manifest["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


def test_the_documentation_names_the_versions() -> None:
    begin = (ROOT / "docs/kubernetes.md").read_text()[:600]
    assert f"Kubernetes {VERSIONS[0]} and {VERSIONS[-1]}" in begin and "not run" in begin


def test_every_file_is_rendered_or_an_example_of_something_else() -> None:
    for folder in FOLDERS:
        text = yaml.safe_load((EXAMPLES / folder / "kustomization.yaml").read_text())
        named = {*text.get("resources", []), *text.get("patchesStrategicMerge", []), "kustomization.yaml"}
        there = {path.name for path in (EXAMPLES / folder).glob("*.yaml")}
        assert there - named <= {"adapter.yaml"} and named <= there, folder


@pytest.mark.parametrize("folder", FOLDERS)
def test_everything_is_in_one_namespace(folder: str) -> None:
    name = only("namespace", "Namespace")["metadata"]["name"]
    for each in rendered(folder):
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == name


@pytest.mark.parametrize("folder", SERVERS)
def test_images_have_the_version_of_the_project(folder: str) -> None:
    tag = f"{VERSION}-gpu" if folder == "overlays/gpu" else VERSION
    assert server(folder)["image"] == f"registry.example/tessera:{tag}"
    images = [each["image"] for each in containers(template(folder)["spec"])]
    assert all(re.fullmatch(r"registry\.example/[a-z-]+:\d\S*", image) for image in images)


def test_the_tools_are_those_of_the_servers() -> None:
    (tools,) = containers(only("tools", "Pod")["spec"])
    assert tools["image"] == server("overlays/cpu")["image"]

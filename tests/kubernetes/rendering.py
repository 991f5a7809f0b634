"""The manifests of examples/kubernetes as kubectl renders them, and what several tests read of them."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/kubernetes"
FOLDERS = sorted(str(path.parent.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("kustomization.yaml"))
SERVERS = sorted(folder for folder in FOLDERS if folder.startswith("overlays/"))
"""The folders that run servers in a cluster."""
KUBECTL = shutil.which("kubectl")

needs_kubectl = pytest.mark.skipif(
    KUBECTL is None, reason="no kubectl: scripts/install_kubectl.sh installs Debian's package"
)

Manifest = Mapping[str, Any]


@cache
def rendered(folder: str) -> tuple[Manifest, ...]:
    """The manifests of a folder below examples/kubernetes."""
    assert KUBECTL
    done = subprocess.run([KUBECTL, "kustomize", str(EXAMPLES / folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def only(folder: str, kind: str) -> Manifest:
    """The one manifest of a kind."""
    (found,) = [each for each in rendered(folder) if each["kind"] == kind]
    return found


def template(folder: str) -> Manifest:
    """The template of the servers' Pods."""
    found: Manifest = only(folder, "Deployment")["spec"]["template"]
    return found


def server(folder: str) -> Manifest:
    """The container of the server."""
    (found,) = [each for each in template(folder)["spec"]["containers"] if each["name"] == "tessera"]
    return dict(found)


def containers(pod: Manifest) -> Iterator[Manifest]:
    """All containers of the specification of a Pod."""
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def size(quantity: str) -> int:
    """A quantity of Kubernetes with a binary suffix, in bytes."""
    return int(quantity[:-2]) << {"Ki": 10, "Mi": 20, "Gi": 30}[quantity[-2:]]

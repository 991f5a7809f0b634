"""What every Pod of the examples keeps to, with and without Ray."""

from tests.kubernetes.rendering import Manifest, containers
from tests.supply.test_images import with_parents

VOLUMES = {"persistentVolumeClaim", "secret", "configMap", "emptyDir"}
"""Kinds of volumes that Kubernetes' standard `restricted` allows; it allows some more."""


def require_hardened(pod: Manifest) -> None:
    """Asserts that a Pod keeps to the standard `restricted`, and has limits of everything that it can use up."""
    user, group = map(int, with_parents("cpu").split("USER ")[-1].split()[0].split(":"))
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True and (context["runAsUser"], context["runAsGroup"]) == (user, group)
    assert context["fsGroup"] == group and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not any(pod.get(each) for each in ("hostNetwork", "hostPID", "hostIPC"))
    assert pod["enableServiceLinks"] is False
    for each in containers(pod):
        require_restricted(each["securityContext"])
        resources = each["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys() & resources["limits"].keys(), each["name"]
    require_volumes(pod)


def require_restricted(context: Manifest) -> None:
    """Asserts that a container can neither gain rights nor write to its image."""
    assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]} and not context.get("privileged")


def require_volumes(pod: Manifest) -> None:
    """Asserts that every mount has its volume, every volume its mount, and what is written its limit."""
    volumes = {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in pod["volumes"]}
    mounts = [mount for each in containers(pod) for mount in each["volumeMounts"]]
    assert {mount["name"] for mount in mounts} == volumes.keys()
    for source in volumes.values():
        (kind,) = source
        assert kind in VOLUMES
        assert kind != "emptyDir" or source[kind]["sizeLimit"]
    for mount in mounts:
        assert mount.get("readOnly") or "emptyDir" in volumes[mount["name"]], mount

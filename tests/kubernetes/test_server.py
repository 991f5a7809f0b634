"""The servers' Pods fit the server: its routes, its port, its settings, what it writes, and how it ends."""

import json
from pathlib import PurePosixPath

import pytest
from pydantic import ValidationError

from app.server import ENDS_S
from app.settings import PREFIX, Settings, unknown_variables
from tests.kubernetes.hardening import require_hardened
from tests.kubernetes.rendering import ROOT, SERVERS, Manifest, needs_kubectl, only, rendered, server, size, template
from tests.supply.test_images import environment

pytestmark = [needs_kubectl, pytest.mark.parametrize("folder", SERVERS)]

ROUTES = json.loads((ROOT / "openapi.json").read_text())["paths"]


def stage(folder: str) -> str:
    """The stage of the Dockerfile from which a folder's image is built."""
    return "gpu" if folder == "overlays/gpu" else "cpu"


def variables(folder: str) -> dict[str, str]:
    """The variables of the server's environment that are settings: those of the image, and those of the ConfigMap."""
    config = only(folder, "ConfigMap")
    assert server(folder)["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]
    image = {name: value for name, value in environment(stage(folder)).items() if name.startswith(PREFIX)}
    return image | dict(config["data"])


@pytest.fixture
def settings(folder: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    found = variables(folder)
    assert unknown_variables(found) == []
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return Settings()


def mount_of(folder: str, path: object) -> Manifest:
    """The mount below which a path lies, with its volume's source."""
    place = PurePosixPath(str(path))
    parents = {place, *place.parents}
    (found,) = [each for each in server(folder)["volumeMounts"] if PurePosixPath(each["mountPath"]) in parents]
    (volume,) = [each for each in template(folder)["spec"]["volumes"] if each["name"] == found["name"]]
    return {**found, **volume}


def test_pods_keep_to_the_restricted_standard(folder: str) -> None:
    require_hardened(template(folder)["spec"])
    assert template(folder)["spec"]["automountServiceAccountToken"] is False
    labels = only("namespace", "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_service_links_would_override_the_port(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    services = [each["metadata"]["name"] for each in rendered(folder) if each["kind"] == "Service"]
    assert f"{PREFIX}PORT" in {f"{name.upper().replace('-', '_')}_PORT" for name in services}
    assert template(folder)["spec"]["enableServiceLinks"] is False
    monkeypatch.setenv(f"{PREFIX}PORT", "tcp://10.96.0.7:8000")
    with pytest.raises(ValidationError, match="port"):
        Settings()


def test_probes_ask_routes_of_the_server(folder: str) -> None:
    container = server(folder)
    ports = {each["name"] for each in container["ports"]}
    probes = {name: container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}
    for probe in probes.values():
        assert probe["httpGet"]["path"] in ROUTES and probe["httpGet"]["port"] in ports
    assert {name: probe["httpGet"]["path"] for name, probe in probes.items()} == {
        "startup": "/livez",
        "liveness": "/livez",
        "readiness": "/readyz",
    }
    assert probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] >= 120


def test_the_server_listens_where_the_service_sends(folder: str, settings: Settings) -> None:
    (port,) = server(folder)["ports"]
    (served,) = only(folder, "Service")["spec"]["ports"]
    assert (settings.host, settings.port) == ("0.0.0.0", port["containerPort"])
    assert served["targetPort"] == port["name"]
    (rule,) = only(folder, "NetworkPolicy")["spec"]["ingress"]
    assert [each["port"] for each in rule["ports"]] == [settings.port]
    assert all(each["namespaceSelector"]["matchLabels"] for each in rule["from"])


def test_models_and_keys_are_mounted_read_only(folder: str, settings: Settings) -> None:
    assert mount_of(folder, settings.models_dir)["readOnly"] is True
    keys = mount_of(folder, settings.keys_file)
    assert keys["readOnly"] is True and keys["secret"]["secretName"] == "tessera-keys"
    assert "subPath" not in keys and str(settings.keys_file) == f"{keys['mountPath']}/keys.json"


def test_what_the_server_writes_has_a_volume(folder: str, settings: Settings) -> None:
    home = environment(stage(folder))
    for path in (settings.spool_dir, home["HOME"], *([home["TRITON_CACHE_DIR"]] if stage(folder) == "gpu" else [])):
        assert "emptyDir" in mount_of(folder, path), path
    uploads = size(mount_of(folder, "/tmp")["emptyDir"]["sizeLimit"])
    assert uploads > 2**30, "max_waiting_bytes is at most 1 GiB by default"
    assert size(mount_of(folder, settings.spool_dir)["emptyDir"]["sizeLimit"]) > settings.spool_bytes


def test_the_disk_suffices_for_all_volumes(folder: str) -> None:
    volumes = [each["emptyDir"] for each in template(folder)["spec"]["volumes"] if "emptyDir" in each]
    disk = server(folder)["resources"]["limits"]["ephemeral-storage"]
    assert size(disk) > sum(size(each["sizeLimit"]) for each in volumes)


def test_requests_equal_limits(folder: str) -> None:
    """The server computes its budgets from the limit of memory: a node must have as much."""
    resources = server(folder)["resources"]
    assert resources["requests"] == resources["limits"]


def test_the_server_ends_before_it_is_killed(folder: str, settings: Settings) -> None:
    command, seconds = server(folder)["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    needed = float(seconds) + settings.shutdown_grace_s + ENDS_S
    assert template(folder)["spec"]["terminationGracePeriodSeconds"] >= needed + 2


def test_an_update_keeps_all_servers_until_others_are_ready(folder: str) -> None:
    spec = only(folder, "Deployment")["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert "replicas" not in spec, "the autoscaler's number must stay"
    assert only(folder, "HorizontalPodAutoscaler")["spec"]["minReplicas"] >= 2


def test_every_selector_matches_the_pods(folder: str) -> None:
    labels = template(folder)["metadata"]["labels"].items()
    deployment = only(folder, "Deployment")["spec"]
    spread = [each["labelSelector"] for each in template(folder)["spec"]["topologySpreadConstraints"]]
    policy = only(folder, "NetworkPolicy")["spec"]["podSelector"]
    budget = only(folder, "PodDisruptionBudget")["spec"]["selector"]
    for selector in (deployment["selector"], *spread, policy, budget):
        assert selector["matchLabels"] and selector["matchLabels"].items() <= labels
    service = only(folder, "Service")
    assert service["spec"]["selector"].items() <= labels
    monitor = only("monitoring", "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    target = only(folder, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    there = only(folder, "Deployment")
    assert (target["apiVersion"], target["kind"], target["name"]) == (
        there["apiVersion"],
        there["kind"],
        there["metadata"]["name"],
    )


def test_only_gpu_servers_ask_for_a_gpu(folder: str) -> None:
    pod, wanted = template(folder)["spec"], folder == "overlays/gpu"
    assert ("nvidia.com/gpu" in server(folder)["resources"]["limits"]) == wanted
    assert bool(pod.get("nodeSelector")) == bool(pod.get("tolerations")) == wanted

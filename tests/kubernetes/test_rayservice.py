"""The RayService of examples/ray fits KubeRay, Ray and the server."""

import json
from importlib.metadata import version
from math import ceil
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import ValidationError

from app.settings import Settings
from app.version import VERSION
from tests.kubernetes.hardening import require_hardened, require_restricted
from tests.kubernetes.kuberay import RayService
from tests.kubernetes.rendering import EXAMPLES, ROOT, Manifest, needs_kubectl, only, size
from tests.kubernetes.test_schemas import VERSIONS

DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "examples/ray/rayservice.yaml").read_text()))
SERVICE = DOCUMENTS[0]
CLUSTER = SERVICE["spec"]["rayClusterConfig"]
HEAD = CLUSTER["headGroupSpec"]
(WORKERS,) = CLUSTER["workerGroupSpecs"]
GROUPS = {"head": HEAD, "workers": WORKERS}
SERVE = yaml.safe_load(SERVICE["spec"]["serveConfigV2"])
(APPLICATION,) = SERVE["applications"]
GROUP = pytest.mark.parametrize("group", GROUPS)


def pod(group: str) -> dict[str, Any]:
    found: dict[str, Any] = GROUPS[group]["template"]["spec"]
    return found


def container(group: str) -> Manifest:
    (found,) = pod(group)["containers"]
    return dict(found)


def test_it_fits_the_fields_of_kuberay() -> None:
    RayService.model_validate(SERVICE)


def test_a_misspelt_field_is_refused() -> None:
    changed = json.loads(json.dumps(SERVICE))
    changed["spec"]["rayClusterConfig"]["authOption"] = {"mode": "token"}
    with pytest.raises(ValidationError, match="authOption\n"):
        RayService.model_validate(changed)


@pytest.mark.parametrize("kubernetes", VERSIONS)
def test_pods_and_policies_fit_the_schemas_of_kubernetes(kubernetes: str) -> None:
    for group in GROUPS.values():
        manifest = {"apiVersion": "v1", "kind": "PodTemplate", "template": group["template"]}
        kubernetes_validate.validate(manifest, kubernetes, strict=True)
    for policy in DOCUMENTS[1:]:
        assert policy["kind"] == "NetworkPolicy"
        kubernetes_validate.validate(policy, kubernetes, strict=True)


@GROUP
def test_pods_keep_to_the_restricted_standard(group: str) -> None:
    require_hardened(pod(group))
    resources = container(group)["resources"]
    assert resources["requests"] == resources["limits"]
    volumes = [each["emptyDir"] for each in pod(group)["volumes"] if "emptyDir" in each]
    disk = sum(size(each["sizeLimit"]) for each in volumes if each.get("medium") != "Memory")
    assert size(resources["limits"]["ephemeral-storage"]) > disk


def test_the_autoscaler_keeps_to_it_too() -> None:
    options = CLUSTER["autoscalerOptions"]
    require_restricted(options["securityContext"])
    assert options["resources"]["limits"] and CLUSTER["enableInTreeAutoscaling"] is True
    volumes = {each["name"] for each in pod("head")["volumes"]}
    assert {each["name"] for each in options["volumeMounts"]} <= volumes
    assert "automountServiceAccountToken" not in pod("head"), "it asks Kubernetes for workers"


@GROUP
def test_shared_memory_holds_the_objects(group: str) -> None:
    objects = int(GROUPS[group]["rayStartParams"]["object-store-memory"])
    (shared,) = [each["emptyDir"] for each in pod(group)["volumes"] if each["name"] == "shared-memory"]
    assert shared["medium"] == "Memory" and objects < size(shared["sizeLimit"])


@GROUP
def test_images_have_the_version_of_the_project(group: str) -> None:
    assert container(group)["image"] == f"registry.example/tessera:{VERSION}-ray"


def test_ray_has_the_version_that_is_tested() -> None:
    pytest.importorskip("ray", reason="needs the extra `ray`")
    assert CLUSTER["rayVersion"] == version("ray")


def test_the_dashboard_needs_a_token_and_is_not_exposed() -> None:
    assert CLUSTER["authOptions"] == {"mode": "token"}
    assert HEAD["serviceType"] == "ClusterIP" and HEAD["enableIngress"] is False
    ports = {each["name"]: each["containerPort"] for each in container("head")["ports"]}
    everybody, head = DOCUMENTS[1:]
    cluster, clients = everybody["spec"]["ingress"]
    assert cluster == {"from": [{"podSelector": everybody["spec"]["podSelector"]}]}
    assert [each["port"] for each in clients["ports"]] == [SERVE["http_options"]["port"]]
    (operator,) = head["spec"]["ingress"]
    assert [each["port"] for each in operator["ports"]] == [ports["dashboard"]]
    assert clients["from"] != operator["from"]
    for policy in (everybody, head):
        assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}


@GROUP
def test_policies_select_the_pods(group: str) -> None:
    labels = GROUPS[group]["template"]["metadata"]["labels"]
    assert DOCUMENTS[1]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    kuberay = {"ray.io/node-type": "head"}  # KubeRay sets it
    selected = DOCUMENTS[2]["spec"]["podSelector"]["matchLabels"].items()
    assert (selected <= (labels | kuberay).items()) and not selected <= labels.items()


@GROUP
def test_probes_ask_ports_of_the_pod(group: str) -> None:
    each = container(group)
    ports = {port["name"]: port["containerPort"] for port in each["ports"]}
    for name in ("startup", "liveness", "readiness"):
        probe = each[f"{name}Probe"]["httpGet"]
        assert probe["port"] in ports or probe["port"] == 52365, "the port of Ray's agent"
    assert container("workers")["readinessProbe"]["httpGet"] == {"path": "/-/healthz", "port": "serve"}
    assert ports["serve"] == SERVE["http_options"]["port"]


def test_the_settings_exist_and_name_what_is_mounted() -> None:
    settings = Settings(**APPLICATION["args"]["settings"])
    assert settings.host == SERVE["http_options"]["host"] == "0.0.0.0"
    assert SERVE["http_options"]["keep_alive_timeout_s"] == settings.idle_timeout_s
    mounts = {each["name"]: each for each in container("workers")["volumeMounts"]}
    volumes = {each["name"]: each for each in pod("workers")["volumes"]}
    assert settings.keys_file and str(settings.keys_file.parent) == mounts["keys"]["mountPath"]
    assert mounts["models"]["mountPath"] == "/models" and mounts["models"]["readOnly"] is True
    assert volumes["keys"]["secret"]["secretName"] == "tessera-keys"


def test_there_are_workers_for_all_replicas() -> None:
    arguments = APPLICATION["args"]
    assert arguments["replicas"] == WORKERS["minReplicas"] == WORKERS["replicas"]
    most = ceil(arguments["most_replicas"] * (1 + arguments["surge_percent"] / 100))
    assert WORKERS["maxReplicas"] >= most
    assert str(arguments["processors"]) == container("workers")["resources"]["limits"]["cpu"]
    assert HEAD["rayStartParams"]["num-cpus"] == "0"


@needs_kubectl
def test_it_shares_the_namespace_the_models_and_the_clients_of_the_plain_servers() -> None:
    claim = only("namespace", "PersistentVolumeClaim")["metadata"]
    (models,) = [each for each in pod("workers")["volumes"] if each["name"] == "models"]
    assert models["persistentVolumeClaim"] == {"claimName": claim["name"], "readOnly": True}
    assert {each["metadata"]["namespace"] for each in DOCUMENTS} == {claim["namespace"]}
    (plain,) = only("base", "NetworkPolicy")["spec"]["ingress"]
    assert DOCUMENTS[1]["spec"]["ingress"][1]["from"] == plain["from"]
    assert (EXAMPLES / "namespace").is_dir()

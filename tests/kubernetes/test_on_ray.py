"""The RayService and the Compose profile run the application as app/deploy expects it."""

import re
import shlex
from importlib import import_module
from typing import Any

import pytest

from app.cli.commands import build_parser
from app.deploy.arguments import Arguments
from app.deploy.environment import node_variables
from app.settings import Settings
from tests.kubernetes.test_rayservice import APPLICATION, GROUP, SERVE, container
from tests.supply.test_images import SERVICES

ADDRESS = "10.0.0.5"
"""An address of a head node that other machines reach."""
CLUSTER = [name for name in SERVICES if name.startswith("cluster-")]


def test_the_application_takes_the_arguments() -> None:
    schema = pytest.importorskip("ray.serve.schema", reason="needs the extra `ray`")
    (application,) = schema.ServeDeploySchema.model_validate(SERVE).applications
    module, _, name = application.import_path.partition(":")
    arguments = Arguments.model_validate(application.args)
    assert arguments.settings == APPLICATION["args"]["settings"]
    assert getattr(import_module(module), name)(arguments)


@GROUP
def test_pods_have_the_environment_of_nodes(group: str) -> None:
    wanted = node_variables(Settings(), ADDRESS)
    assert wanted.pop("RAY_AUTH_MODE") == "token", "KubeRay sets it, by authOptions"
    assert {each["name"]: each["value"] for each in container(group)["env"]} == wanted


@pytest.mark.parametrize("name", CLUSTER)
def test_containers_have_the_environment_of_nodes(name: str) -> None:
    given: dict[str, Any] = dict(SERVICES[name]["environment"])
    assert given.pop("RAY_AUTH_TOKEN") == "${RAY_AUTH_TOKEN:-}"
    assert given == node_variables(Settings(), ADDRESS)


def test_the_command_of_the_head_is_understood() -> None:
    command = SERVICES["cluster-head"]["entrypoint"][-1].removeprefix("exec tessera ")
    words = shlex.split(re.sub(r"\$\$\(.*?\)", ADDRESS, command).replace("${TESSERA_CPUS:-2}", "2"))
    options = build_parser(words).parse_args(words).cluster
    assert (options.action, options.node_address, options.replicas, options.processors) == ("up", ADDRESS, 3, 2)

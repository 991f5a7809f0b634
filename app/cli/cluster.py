"""`tessera cluster`."""

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from time import sleep
from types import ModuleType
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from app.cli.serve import add_settings, given_settings
from app.cli.usage import UsageError
from app.deploy.arguments import Arguments, EngineArguments
from app.deploy.environment import client_variables, node_variables
from app.deploy.reaching import require_cluster
from app.errors import CannotServe
from app.interruption import ending_gently
from app.settings import Settings, said_of_settings
from app.terminal import print_line

if TYPE_CHECKING:
    from app.deploy.cluster import State

CLUSTER = tuple(name for name in Arguments.model_fields if name not in ("settings", "engines"))
"""The arguments of the cluster that are options of the command."""
ENGINES = "engines"
"""The group of options of engines; large pictures are divided among engines if any of them is given."""
POLL_S = 1.0
LONELY = "127.0.0.1"


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Run the application on a Ray cluster, as replicas behind one address. `up` takes the settings of "
        "`tessera serve`, too, and starts a head node on this machine unless --address names a cluster."
    )
    parser.add_argument(
        "action",
        choices=("up", "status", "down"),
        help="up runs the application until it is stopped; status describes it; down ends it",
    )
    parser.add_argument(
        "--node_address",
        type=str,
        default=LONELY,
        help="up: the address of this machine in the cluster; other machines reach it unless it is a loopback address, "
        "and need Ray's token",
    )
    parser.add_argument(
        "--address",
        type=str | None,
        default=None,
        help="the head node of a running cluster, such as 10.0.0.5:6379; by default up starts one, and status and down "
        "use that",
    )
    parser.add_argument("--ray_port", type=int, default=6379, help="up: the port by which other machines join")
    parser.add_argument("--dashboard_port", type=int, default=8265, help="up: the port of Ray's dashboard, on loopback")
    fields = {name: Arguments.model_fields[name] for name in CLUSTER}
    fields |= {f"{ENGINES}.{name}": field for name, field in EngineArguments.model_fields.items()}
    for name, field in fields.items():
        shown = "" if field.default is None else f" (default: {field.default})"
        kind = field.annotation | None  # type: ignore[operator]  # a type that is known at run time only
        parser.add_argument(f"--{name}", type=kind, default=None, help=f"up: {field.description}{shown}")
    add_settings(parser)
    return parser


def run(options: Namespace) -> int:
    """Runs, describes or ends the application. Raises UsageError or CannotServe."""
    if find_spec("ray") is None:
        raise CannotServe("clusters need the extra `ray`: pip install 'ray[serve]>=2.60,<2.61'")
    address = options.address or f"{options.node_address}:{options.ray_port}"
    if options.action == "up":
        return _up(options, address)
    require_cluster(address)
    cluster = _ray(client_variables(address.rpartition(":")[0]))
    with cluster.connected(address):
        if options.action == "status":
            return _status(cluster.state())
        print_line("the application is ended" if cluster.withdraw() else "the application does not run")
    return 0


def _ray(variables: Mapping[str, str]) -> ModuleType:
    """The module that uses Ray, which reads its variables when it is imported."""
    os.environ.update(variables)
    return import_module("app.deploy.cluster")


def _up(options: Namespace, address: str) -> int:
    given = {name: options[name] for name in CLUSTER if options[name] is not None}
    engines = {name: value for name, value in options[ENGINES].items() if value is not None}
    if engines:
        given[ENGINES] = engines
    try:
        settings = Settings.model_validate(given_settings(options))
        arguments = Arguments.model_validate(given | {"settings": given_settings(options)})
    except ValidationError as error:
        raise UsageError(*said_of_settings(error), hint="tessera cluster --help describes the options") from error
    if options.address is not None:
        require_cluster(address)
    cluster = _ray(node_variables(settings, address.rpartition(":")[0]))
    if options.address is not None:
        with cluster.connected(address):
            cluster.deploy(arguments, settings)
        print_line(f"the application runs on {address}; `tessera cluster down` ends it")
        return 0
    with (
        cluster.head(options.node_address, options.ray_port, options.dashboard_port) as head,
        cluster.connected(address),
    ):
        cluster.deploy(arguments, settings)
        print_line(f"serving {settings.models_dir} on http://{settings.host}:{settings.port}, described at /docs")
        with ending_gently() as ending:
            while not ending.asked and head.poll() is None and cluster.state().status is not None:
                sleep(POLL_S)
        if head.poll() is not None:
            raise CannotServe(f"Ray's head node has ended with the status {head.returncode}")
        cluster.withdraw()
    return 0


def _status(state: "State") -> int:
    """Prints the state; returns 1 unless the application is well."""
    table = Table("node", "state", "processors", "GPUs")
    for node in state.nodes:
        table.add_row(node.address, "alive" if node.is_alive else "gone", f"{node.processors:g}", f"{node.gpus:g}")
    Console(highlight=False).print(table)
    print(f"application: {state.status or 'does not run'}")
    if state.replicas:
        print("replicas: " + ", ".join(f"{count} {name}" for name, count in sorted(state.replicas.items())))
    if state.message:
        print(state.message)
    return 0 if state.is_well else 1

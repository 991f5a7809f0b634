"""Ray clusters of several nodes on this machine, which only it reaches."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray._private import ray_constants
from ray.cluster_utils import Cluster

from app.deploy.cluster import LOOPBACK
from app.deploy.environment import node_variables
from app.settings import Settings
from tests.waiting import WAIT_S

ROOT = Path(__file__).parent.parent
NODE: dict[str, Any] = {"node_ip_address": LOOPBACK, "include_dashboard": False, "object_store_memory": 2**27}


PERCEPTIVE = {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "3"}
"""Ray's head notices after three seconds that a node has gone, and not after half a minute."""


@dataclass(frozen=True)
class Site:
    """A cluster, the address of the application on it, and the options with which `up` runs the application."""

    cluster: Cluster
    port: int
    options: Mapping[str, object]
    nodes: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def command(self, action: str, **options: object) -> list[str]:
        """A command line of `tessera cluster` for this cluster."""
        words = [sys.executable, "-m", "app", "cluster", action, "--address", str(self.cluster.address)]
        return [*words, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]

    def up(self, **options: object) -> None:
        """Runs the application, or updates it; returns when its replicas serve."""
        given = {"host": LOOPBACK, "port": self.port, **self.options, **options}
        done = run(self.command("up", **given))
        assert done.returncode == 0, done.stderr

    @property
    def alive(self) -> int:
        """The number of nodes that the head takes for alive."""
        return sum(bool(node["Alive"]) for node in self.cluster.global_state.node_table())  # type: ignore[no-untyped-call]

    def add_node(self, processors: int = 1) -> None:
        self.nodes.append(self.cluster.add_node(num_cpus=processors, **NODE))

    def remove_node(self) -> None:
        """Kills all processes of the newest node."""
        self.cluster.remove_node(self.nodes.pop(), allow_graceful=False)


@contextmanager
def site(nodes: int, **options: object) -> Iterator[Site]:
    """A cluster of nodes with one processor each; it runs no application yet."""
    before, translates = dict(os.environ), ray_constants.ENABLE_RAY_CLUSTER
    os.environ.update(node_variables(Settings(), LOOPBACK) | PERCEPTIVE)
    ray_constants.ENABLE_RAY_CLUSTER = False  # the variable of this name was read when Ray was imported
    cluster = Cluster()
    found = Site(cluster, free_port(), options)
    try:
        cluster.add_node(num_cpus=1, **NODE)
        for _ in range(nodes - 1):
            found.add_node()
        yield found
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]  # Ray has few types
        ray_constants.ENABLE_RAY_CLUSTER = translates
        os.environ.clear()
        os.environ.update(before)


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S)


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port

"""Starts, describes and ends the application on a Ray cluster, by Ray's own commands and API."""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, sleep

import ray
from ray import serve
from ray.serve.config import HTTPOptions, ProxyLocation

from app.deploy.arguments import Arguments
from app.deploy.builder import NAME, application
from app.deploy.reaching import no_cluster, require_cluster
from app.errors import CannotServe
from app.parts import is_loopback
from app.settings import Settings

LOOPBACK = "127.0.0.1"
STARTED_WITHIN_S = 60.0
POLL_S = 1.0
ENDED_WITHIN_S = 15.0
RAY = sys.executable, "-m", "ray.scripts.scripts"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster: its address, whether it is there, and its processors and GPUs."""

    address: str
    is_alive: bool
    processors: float
    gpus: float


@dataclass(frozen=True, slots=True)
class State:
    """The cluster, and the application on it.

    status: Serve's word for the state of the application; None: it does not run
    message: what Serve says of it; empty if it is well
    replicas: the number of replicas by their state
    """

    nodes: tuple[Node, ...]
    status: str | None
    message: str
    replicas: Mapping[str, int]

    @property
    def is_well(self) -> bool:
        return self.status == "RUNNING"


@contextmanager
def head(node_address: str, port: int, dashboard_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A head node, a process with children that ends with the block. Raises CannotServe if it does not start.

    It needs the variables of `node_variables`. Only programs of this machine reach its dashboard. Clients need the
    token in ~/.ray/auth_token, which is made if there is none, or that of the environment.
    """
    if "RAY_AUTH_TOKEN" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        subprocess.run([*RAY, "get-auth-token", "--generate"], check=True, stdout=subprocess.DEVNULL)
    command = [*RAY, "start", "--head", "--block", "--disable-usage-stats"]
    command += [f"--node-ip-address={node_address}", f"--port={port}"]
    command += [f"--dashboard-host={LOOPBACK}", f"--dashboard-port={dashboard_port}"]
    own = os.environ | {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}  # the application is withdrawn before
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=own, start_new_session=True) as process:
        try:
            _wait_until_started(process, node_address, port)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(ENDED_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its own children, too: they would hold the ports


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Meanwhile this process uses the cluster whose head node has this address and port.

    Raises CannotServe if there is none. Needs the variables of `client_variables`.
    """
    require_cluster(address)
    try:
        ray.init(address=address, namespace="serve", logging_level=logging.WARNING, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise no_cluster(address, error) from error
    try:
        yield
    finally:
        ray.shutdown()


def deploy(arguments: Arguments, settings: Settings) -> None:
    """Runs the application on the connected cluster, or updates it. Returns when its replicas serve.

    Raises CannotServe if it cannot run with these arguments.
    """
    built = application(arguments)
    options = HTTPOptions(host=settings.host, port=settings.port, keep_alive_timeout_s=settings.idle_timeout_s)
    everywhere = ProxyLocation.HeadOnly if is_loopback(settings.host) else ProxyLocation.EveryNode
    serve.start(proxy_location=everywhere, http_options=options)
    try:
        serve.run(built, name=NAME, route_prefix="/")
    except RuntimeError as error:
        raise CannotServe(f"the application does not run: {error}") from error


def state() -> State:
    """The state of the connected cluster."""
    nodes = tuple(
        Node(
            each["NodeManagerAddress"],
            each["Alive"],
            each["Resources"].get("CPU", 0.0),
            each["Resources"].get("GPU", 0.0),
        )
        for each in ray.nodes()  # type: ignore[no-untyped-call]
    )
    found = serve.status().applications.get(NAME)
    if found is None:
        return State(nodes, None, "", {})
    replicas: dict[str, int] = {}
    for deployment in found.deployments.values():
        for replica_state, count in deployment.replica_states.items():
            replicas[str(replica_state)] = replicas.get(str(replica_state), 0) + count
    return State(nodes, found.status.value, found.message, replicas)


def withdraw() -> bool:
    """Ends the application and Serve on the connected cluster, after its requests; whether it ran."""
    if state().status is None:
        return False
    serve.delete(NAME)  # first, because the end of Serve cuts the connections of its proxies
    serve.shutdown()  # type: ignore[no-untyped-call]
    return True


def _wait_until_started(process: subprocess.Popen[bytes], address: str, port: int) -> None:
    deadline = monotonic() + STARTED_WITHIN_S
    while monotonic() < deadline:
        if process.poll() is not None:
            raise CannotServe(f"Ray's head node has ended with the status {process.returncode}; its message is above")
        with suppress(OSError), closing(socket.create_connection((address, port), timeout=POLL_S)):
            return
        sleep(POLL_S / 10)
    raise CannotServe(f"Ray's head node does not answer on {address} port {port} after {STARTED_WITHIN_S:g} s")

"""The parts of a cluster, and what a hop between two machines takes."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from app.errors import InvalidParameter

BITS = 8
COUNTS = {"block_tiles": 0, "ingresses": 0, "processors": 1, "ingress_processors": 1}
"""The least value of each number of things."""
TIMES = ("latency_ms", "request_ms", "request_ns_per_byte", "hop_ms", "hop_ns_per_byte")


class Balance(StrEnum):
    """How a server or an engine is chosen: each in turn, at random, or the less busy one of two random ones.

    nginx takes turns by default, Kubernetes chooses at random for each connection, and Ray Serve takes the less busy of
    two.
    """

    in_turn = "in_turn"
    random = "random"
    less_busy_of_two = "less_busy_of_two"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The machines of a cluster: servers or engines, one for each card, and the ingresses before them.

    docs/scaling.md says which defaults were measured. Raises InvalidParameter.

    Args:
        block_tiles: the rows and columns of tiles of the blocks into which ingresses divide each picture, for all cards
            to share; 0: pictures are not divided, and each card has the whole application
        ingresses: the machines through which all requests go; 0: clients reach the servers themselves (default: as
            many as the rate needs, and none for one server)
        processors: of each server, besides its card, for HTTP, decoding and drawing (default: those of this machine)
        ingress_processors: of each ingress (default: those of this machine)
        network_gbit_s: what the network of each machine carries in each direction, in Gbit/s
        latency_ms: what one message takes from machine to machine, besides its bytes
        request_ms: the processor time of a server for HTTP, for each request
        request_ns_per_byte: the same, for each byte of the request and of the answer
        hop_ms: the processor time of an ingress to pass a request or a block on; the engine of a block takes as much
        hop_ns_per_byte: the same, for each byte that passes
        balance: how the server of a picture, or the engine of a block, is chosen: in_turn, random, or
            less_busy_of_two
    """

    block_tiles: int = 0
    ingresses: int | None = None
    processors: int | None = None
    ingress_processors: int | None = None
    network_gbit_s: float = 10.0
    latency_ms: float = 0.1
    request_ms: float = 2.4
    request_ns_per_byte: float = 2.0
    hop_ms: float = 2.4
    hop_ns_per_byte: float = 2.0
    balance: Balance = Balance.less_busy_of_two

    def __post_init__(self) -> None:
        for name in COUNTS:
            if getattr(self, name) is not None and getattr(self, name) < COUNTS[name]:
                raise InvalidParameter(f"{name} is {getattr(self, name)}; use {COUNTS[name]} or more")
        for name in TIMES:
            if not 0 <= getattr(self, name) < inf:
                raise InvalidParameter(f"{name} is {getattr(self, name):g}; use 0 or more")
        if not 0 < self.network_gbit_s < inf:
            raise InvalidParameter(f"network_gbit_s is {self.network_gbit_s:g}; use more than 0")
        if self.block_tiles and self.ingresses == 0:
            raise InvalidParameter("ingresses is 0, and engines get their blocks from an ingress; use 1 or more")

    def with_processors(self, processors: int) -> "Cluster":
        """The cluster whose machines have this number of processors, unless they have another one already."""
        ingress = self.ingress_processors or processors
        return replace(self, processors=self.processors or processors, ingress_processors=ingress)

    def transfer_s(self, size: float) -> float:
        """Seconds for which this number of bytes occupies the network of a machine, in one direction."""
        return size * BITS / (self.network_gbit_s * 1e9)

    @property
    def latency_s(self) -> float:
        """Seconds of one message between two machines, besides its bytes."""
        return self.latency_ms / 1e3

    def request_s(self, size: float) -> float:
        """Processor seconds of HTTP for a request with this number of bytes, those of its answer included."""
        return self.request_ms / 1e3 + self.request_ns_per_byte * size / 1e9

    def hop_s(self, size: float) -> float:
        """Processor seconds to pass a message with this number of bytes on, those of its answer included."""
        return self.hop_ms / 1e3 + self.hop_ns_per_byte * size / 1e9

"""The way of a picture through a cluster, and what limits its rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Resource(StrEnum):
    """What pictures wait for, as people call it. A card is also one that has only tiles to compute."""

    ingress_in = "network into the ingresses"
    ingress_processors = "processors of the ingresses"
    ingress_out = "network out of the ingresses"
    server_in = "network into the servers"
    server_processors = "processors of the servers"
    card = "cards"
    machine = "machines without a card"
    server_out = "network out of the servers"


OF_INGRESSES = {Resource.ingress_in, Resource.ingress_processors, Resource.ingress_out}


@dataclass(frozen=True, slots=True)
class Step:
    """A stay of a picture, or of a part of one, at a machine.

    seconds: how long it holds one unit of the resource
    then_s: how long it takes, after that, to the next step, without a queue
    """

    resource: Resource
    seconds: float
    then_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines that have a resource, and the units of it that each has."""

    count: int
    units: int


@dataclass(frozen=True, slots=True)
class Limit:
    """What a resource allows.

    units: those of all machines together
    seconds: how long one picture holds a unit
    """

    resource: Resource
    units: int
    seconds: float

    @property
    def pictures_per_s(self) -> float:
        """The highest rate, at which all units are always busy."""
        return self.units / self.seconds

    def busy(self, rate: float) -> float:
        """The share of the time for which the units are busy at this rate of pictures."""
        return rate / self.pictures_per_s


@dataclass(frozen=True, slots=True)
class Layout:
    """The way of a picture: first at an ingress, then in equal parts at servers or engines, then at its ingress again.

    A picture that is not divided is one part. Without ingresses there is nothing before and after.

    machines: those of each resource that the steps use; an ingress is a machine of each resource in OF_INGRESSES, and a
        server is one of each other resource
    parts: the number of parts of a picture
    """

    machines: Mapping[Resource, Machines]
    before: tuple[Step, ...]
    part: tuple[Step, ...]
    parts: int
    after: tuple[Step, ...]

    def seconds(self, resource: Resource) -> float:
        """How long one picture holds units of the resource."""
        once = sum(step.seconds for step in (*self.before, *self.after) if step.resource is resource)
        return once + self.parts * sum(step.seconds for step in self.part if step.resource is resource)

    def limits(self) -> list[Limit]:
        """What each resource allows, the lowest rate first."""
        found = [
            Limit(resource, each.count * each.units, seconds)
            for resource, each in self.machines.items()
            if (seconds := self.seconds(resource)) > 0
        ]
        return sorted(found, key=lambda limit: limit.pictures_per_s)

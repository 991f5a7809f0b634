"""How many pictures a cluster answers, how soon, and what limits it: closed forms, and a simulation."""

from app.sizing.cluster.layout import Layout, Limit, Machines, Resource, Step
from app.sizing.cluster.layouts import cards_for, ingresses_for, layout_of, short_queues_rate
from app.sizing.cluster.parts import BITS, Balance, Cluster
from app.sizing.cluster.simulation import Outcome, answer_rate, poisson, simulate_closed, simulate_open

__all__ = [
    "BITS",
    "Balance",
    "Cluster",
    "Layout",
    "Limit",
    "Machines",
    "Outcome",
    "Resource",
    "Step",
    "answer_rate",
    "cards_for",
    "ingresses_for",
    "layout_of",
    "poisson",
    "short_queues_rate",
    "simulate_closed",
    "simulate_open",
]

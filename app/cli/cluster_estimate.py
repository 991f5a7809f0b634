"""What `tessera estimate` says about clusters."""

from collections.abc import Iterator
from itertools import chain, repeat

from jsonargparse import ArgumentParser, Namespace

from app.cli.instantiation import instantiate
from app.cli.usage import UsageError
from app.sizing import BUSY_SHARE, Work
from app.sizing.cluster import BITS, Cluster, Layout, cards_for, ingresses_for, layout_of, poisson, simulate_open

GROUP = "cluster"
MOST_CARDS = 2_000
FEWEST_PICTURES, PARTS, PARTS_PER_CARD = 500, 20_000, 20
"""What is simulated at least: pictures; pictures or their blocks; the same for each card."""


def add_cluster(parser: ArgumentParser) -> None:
    """Adds the options of a cluster."""
    parser.add_argument(
        "--cards",
        type=int | None,
        default=None,
        help="the number of cards, or of machines like this one without a card (default: as many as the rate needs)",
    )
    parser.add_argument(
        "--price", type=float | None, default=None, help="the price of a card for an hour, in any currency"
    )
    parser.add_class_arguments(Cluster, GROUP)


def given_cluster(parser: ArgumentParser, options: Namespace) -> Cluster:
    """The cluster that the options describe. Raises UsageError or InvalidParameter."""
    if options.cards is not None and not 0 < options.cards <= MOST_CARDS:
        raise UsageError(f"--cards {options.cards}: give 1 to {MOST_CARDS:,}")
    if options.price is not None and not 0 <= options.price < float("inf"):
        raise UsageError(f"--price {options.price:g}: give the price of a card for an hour, 0 or more")
    cluster: Cluster = instantiate(parser, options)[GROUP]
    return cluster


def cluster_lines(work: Work, cluster: Cluster, rate: float, cards: int | None, price: float | None) -> Iterator[str]:
    """What a cluster with this number of cards does at this rate; None: as many cards as the rate needs."""
    cards = cards or cards_for(work, cluster, rate)
    what = f"{cards:,} {'machine' if work.on_cpu else 'card'}{'s' * (cards != 1)}"
    if cards > MOST_CARDS:
        yield f"cluster:        {what}; more than {MOST_CARDS:,} are not simulated"
        return
    ingresses = ingresses_for(work, cluster, cards, rate)
    layout = layout_of(work, cluster, cards, ingresses)
    limits = layout.limits()
    parts = f" that share {layout.parts:,} blocks of each picture," if cluster.block_tiles else ""
    before = f" behind {ingresses:,} ingress{'es' * (ingresses != 1)}" if ingresses else ""
    highest = limits[0].pictures_per_s
    yield (
        f"cluster:        {what}{parts}{before}: at most {highest:,.1f} pictures a second, {BUSY_SHARE * highest:,.1f} "
        f"with short queues; the limit: {limits[0].resource}"
    )
    yield f"latency:        {_latency(layout, cluster, rate, cards)}"
    for title, limit in zip(chain(["busy:"], repeat("")), limits, strict=False):
        used = rate * limit.seconds
        yield f"{title:16}{limit.resource:30} {used:10,.2f} of {limit.units:<7,} {limit.busy(rate):7.1%}"
    to_network, back = (rate * each * BITS / 1e9 for each in (work.file_bytes, work.answer_bytes))
    yield f"network:        {to_network:,.3f} Gbit/s of pictures, {back:,.3f} of answers"
    if price is not None:
        hourly = price * cards
        yield f"price:          {hourly:,.2f} an hour for all, {hourly / rate / 3600 * 1e6:,.2f} for a million pictures"
    yield "assumed:        HTTP, hops and the network (--cluster.*); docs/scaling.md says how to measure them"


def _latency(layout: Layout, cluster: Cluster, rate: float, cards: int) -> str:
    if layout.limits()[0].busy(rate) >= 1:
        return f"grows without end, because {rate:,.1f} pictures a second are over the limit"
    pictures = max(FEWEST_PICTURES, max(PARTS, PARTS_PER_CARD * cards) // layout.parts)
    found = simulate_open(layout, poisson(rate, pictures, seed=0), cluster.balance)
    half, most = found.quantile(0.5), found.quantile(0.95)
    return f"{half:.3f} s (median), {most:.3f} s (95%), simulated: {rate:,.1f} pictures a second at random times"

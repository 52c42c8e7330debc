"""Whether torch, onnxruntime and NumPy decide alike, on networks of one demand to 10,000."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.bench.decide_network import sized_network
from bwalloc.bench.decide_runtimes import NUMPY, Runtimes
from bwalloc.bench.decide_telemetry import records, with_links_down
from bwalloc.observe import read_telemetry
from bwalloc.serve.bundles.golden import TOLERANCE
from bwalloc.serve.policy.session import PolicySession

if TYPE_CHECKING:
    from bwalloc.control import Telemetry
    from bwalloc.network import Network

GRID = (
    (1, 1, 8), (1, 2, 8), (2, 1, 8), (10, 5, 16), (30, 12, 40), (100, 40, 40), (1_000, 100, 8),
    (10_000, 500, 1),
)  # fmt: skip
"""Demands, links, and how many networks of that size are drawn."""
EDGE = 30, 12, 3
"""The same for each of the edge cases."""
DECISIONS = 4
"""Decisions compared on each network, in a row."""
USUAL = "usual"
Change = Callable[["Network", int, "Telemetry"], "Telemetry"]
"""What comes in the place of the telemetry of an interval."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far runtimes are apart on the same inputs.

    Attributes:
        case: what is special about the telemetry; "usual" if nothing.
        demands, links, networks: sizes, and how many networks.
        decisions: how many were compared, on all networks together.
        beyond: in how many of them two runtimes were further apart than `TOLERANCE`.
        largest: difference of a rate between any two, as a share of the network's widest link.
        from_numpy: the same from NumPy alone, by runtime.
    """

    case: str
    demands: int
    links: int
    networks: int
    decisions: int
    beyond: int
    largest: float
    from_numpy: Mapping[str, float]

    @property
    def is_right(self) -> bool:
        """Whether they agree within `TOLERANCE`; what is no number does not."""
        return self.largest <= TOLERANCE


def parities(
    runtimes: Runtimes,
    grid: Sequence[tuple[int, int, int]] = GRID,
    edge: tuple[int, int, int] = EDGE,
) -> Iterator[Parity]:
    """The sizes of a grid, then the edge cases."""
    for demands, links, count in grid:
        yield compare_runtimes(runtimes, networks_of(demands, links, count))
    for case, (load, change) in EDGE_CASES.items():
        yield compare_runtimes(runtimes, networks_of(*edge), case=case, load=load, change=change)


def networks_of(demands: int, links: int, count: int) -> list[Network]:
    """So many networks of a size."""
    return [sized_network(demands, links, seed=seed) for seed in range(count)]


def compare_runtimes(
    runtimes: Runtimes,
    networks: Sequence[Network],
    *,
    case: str = USUAL,
    load: float = 1.0,
    change: Change | None = None,
    decisions: int = DECISIONS,
) -> Parity:
    """Decide with every runtime, in a row; the rates of NumPy are those that hold.

    Args:
        runtimes: of a policy.
        networks: of one size.
        case: named in what is returned.
        load: as in `records`.
        change: of the records.
        decisions: on each network.
    """
    largest: list[float] = []
    apart: dict[str, list[float]] = {}
    for network in networks:
        for answers in answered(runtimes, network, decisions, load, change):
            widest = network.links.capacity_gbps.max()
            every = np.stack(list(answers.values())) / widest
            largest.append(float((every.max(0) - every.min(0)).max()))
            for name, rates in answers.items():
                found = np.abs(rates - answers[NUMPY]).max() / widest
                apart.setdefault(name, []).append(float(found))
    del apart[NUMPY]
    return Parity(
        case,
        networks[0].n_demands,
        networks[0].n_links,
        len(networks),
        len(largest),
        sum(not found <= TOLERANCE for found in largest),
        float(np.max(largest)),  # `max` would lose what is NaN
        {name: float(np.max(found)) for name, found in apart.items()},
    )


def answered(
    runtimes: Runtimes, network: Network, decisions: int, load: float, change: Change | None
) -> Iterator[dict[str, np.ndarray]]:
    """Rates by runtime, decision after decision."""
    computing = runtimes.on(network)
    session = PolicySession(network, runtimes.bundle.policy)
    rates = np.zeros(network.tunnels.exists.shape, np.float32)
    for interval, record in enumerate(records(network, decisions, load=load), 1):
        came = record if change is None else change(network, interval, record)
        session.push(read_telemetry(network, came))
        given = session.inputs(rates)
        answers = {name: compute(given) for name, compute in computing.items()}
        rates = answers[NUMPY]
        yield answers


def _all_down(network: Network, interval: int, record: Telemetry) -> Telemetry:
    return with_links_down(record, np.full(network.n_links, interval > 1))


def _cut_off(network: Network, interval: int, record: Telemetry) -> Telemetry:
    crossed = np.isin(np.arange(network.n_links), network.tunnels.hops[0])
    return with_links_down(record, crossed & (interval > 1))


EDGE_CASES: Mapping[str, tuple[float, Change | None]] = {
    "all links down": (1.0, _all_down),
    "no tunnel of a demand up": (1.0, _cut_off),
    "no load at all": (0.0, None),
    "loads a millionth": (1e-6, None),
    "loads x 1,000": (1e3, None),
    "loads x 1,000,000": (1e6, None),
}
"""By name: what loads are multiplied by, and what becomes of the records."""

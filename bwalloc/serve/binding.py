"""Everything of a supervisor that belongs to one network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.limits import Limits, Times
from bwalloc.errors import TopologyError
from bwalloc.network.privacy import private_tunnels
from bwalloc.serve.books.status import LinkStatus
from bwalloc.serve.fallback import MaxMinRates, static_rates
from bwalloc.serve.guard import Guard
from bwalloc.serve.orders.prices import Prices
from bwalloc.serve.policy.session import nothing_read
from bwalloc.serve.telemetry.intake import Intake, Receiver

if TYPE_CHECKING:
    from datetime import datetime

    from bwalloc.control import Decision
    from bwalloc.network import Network
    from bwalloc.serve.clock import Clock
    from bwalloc.serve.operator import Will


@dataclass(frozen=True)
class Issued:
    """A decision that was given, and what it was given for.

    Attributes:
        decision: as given.
        rates_gbps: its rates, float64 (demands, tunnels).
        capacity_gbps, carried_gbps: of the links then, (links,); nothing carried is known: None.
        interval_end: of its telemetry, if that was good.
        will: of the operator then.
    """

    decision: Decision
    rates_gbps: np.ndarray
    capacity_gbps: np.ndarray
    carried_gbps: np.ndarray | None
    interval_end: datetime | None
    will: Will


@dataclass(frozen=True)
class Good:
    """The last rates decided on good telemetry, overrides left out; when (monotonic seconds)."""

    rates_gbps: np.ndarray
    made_s: float


class Binding:
    """Reads telemetry of one network, holds decisions to its limits, and knows the last ones."""

    def __init__(self, network: Network, limits: Limits, clock: Clock) -> None:
        """Prepare all rungs of the ladder; each is tried once, so that none fails later.

        Raises:
            TopologyError: A demand has no tunnel.
        """
        check_tunnels(network)
        self.network, self.limits = network, limits
        self.times = Times.of(limits, network.interval_s)
        self.hash = network_hash(network)
        self.guard = Guard(network, limits)
        self.max_min = MaxMinRates(network)
        self.static_gbps = static_rates(network, limits)
        self.static_totals = self.static_gbps.sum(1)
        self.receiver = Receiver(network, limits, self.times, clock, self.static_totals)
        self.prices = Prices(network)
        self.issued: Issued | None = None
        self.good: Good | None = None
        self.has_decided = False
        self.rates_gbps = np.zeros(network.tunnels.exists.shape)
        self.max_min(nothing_read(network))
        built = np.asarray(network.links.capacity_gbps, np.float64)
        self.guard.hold(self.static_gbps, built, self.static_gbps, None)

    def reset(self) -> None:
        """Forget telemetry and decisions."""
        self.receiver.reset()
        self.issued = self.good = None
        self.has_decided = False
        self.rates_gbps = np.zeros_like(self.rates_gbps)

    def give(self, issued: Issued, good: Good | None) -> None:
        """Remember a decision, and what it came from if telemetry was good."""
        self.issued, self.rates_gbps, self.has_decided = issued, issued.rates_gbps, True
        self.good = good or self.good

    def repeated(self, intake: Intake, will: Will) -> Decision | None:
        """The decision that this telemetry was given before, if nothing has changed since."""
        issued = self.issued
        if issued is None or intake.readings is None or intake.is_new:
            return None
        same = issued.interval_end == intake.interval_end and issued.will == will
        same = same and np.array_equal(issued.capacity_gbps, intake.capacity_gbps)
        return issued.decision if same else None

    def inherit(self, other: Binding) -> np.ndarray:
        """Take over from the binding before, by name; where each demand stands there, or -1."""
        rows = rows_of(self.network.demands.name, other.network.demands.name)
        self.receiver.inherit(other.receiver, rows)
        kept = rows_with_same_tunnels(self.network, other.network, rows)
        self.rates_gbps = _moved(other.rates_gbps, kept, np.zeros_like(self.rates_gbps))
        self.has_decided = other.has_decided
        if other.good is not None:
            rates = _moved(other.good.rates_gbps, kept, self.static_gbps)
            self.good = Good(rates, other.good.made_s)
        return rows

    def links(self) -> tuple[LinkStatus, ...]:
        """The links under the last decision."""
        issued, names = self.issued, self.network.links.name
        if issued is None:
            capacity, planned = self.receiver.capacities.known_gbps, np.zeros(len(names))
            carried = None
        else:
            capacity, carried = issued.capacity_gbps, issued.carried_gbps
            planned = self.guard.projection.planned_gbps(issued.rates_gbps)
        with np.errstate(all="ignore"):
            used = np.where(capacity > 0, planned / capacity, 0.0)
        known = [None] * len(names) if carried is None else carried.tolist()
        columns = (names, capacity.tolist(), planned.tolist(), known, used.tolist())
        return tuple(
            LinkStatus(name, room > 0, room, plan, flow, share)
            for name, room, plan, flow, share in zip(*columns, strict=True)
        )


def check_tunnels(network: Network) -> None:
    """Refuse what no policy can decide for.

    Raises:
        TopologyError: There are no demands, one of them has no tunnel, or one has a tunnel that its
            residency or encryption forbids.
    """
    has_tunnel = network.tunnels.exists.any(1)
    if not has_tunnel.size:
        msg = f"Network '{network.name}' has no demands: there is nothing to decide."
        raise TopologyError(msg)
    if not has_tunnel.all():
        name = network.demands.name[int(np.argmin(has_tunnel))]
        msg = (
            f"Demand '{name}' of network '{network.name}' has no tunnel "
            f"({int((~has_tunnel).sum())} have none); leave it out of the network it is bound to."
        )
        raise TopologyError(msg)
    forbidden = (network.tunnels.exists & ~private_tunnels(network)).any(1)
    if forbidden.any():
        name = network.demands.name[int(np.argmax(forbidden))]
        msg = (
            f"Demand '{name}' of network '{network.name}' has a tunnel that leaves its regions, or "
            "crosses a link without its encryption; routing makes no such tunnel, take it out."
        )
        raise TopologyError(msg)


def network_hash(network: Network) -> str:
    """First digits of a hash of demands, links and tunnels: which topology a decision is for."""
    text = repr((network.links.name, network.demands.name)).encode()
    return hashlib.sha256(text + network.tunnels.hops.tobytes()).hexdigest()[:12]


def rows_of(names: tuple[str, ...], among: tuple[str, ...]) -> np.ndarray:
    """Row of each name among others, -1 where it is not."""
    index = {name: row for row, name in enumerate(among)}
    return np.array([index.get(name, -1) for name in names], np.int64)


def rows_with_same_tunnels(new: Network, old: Network, rows: np.ndarray) -> np.ndarray:
    """`rows`, but -1 where a demand's tunnels do not cross the links they did."""
    kept = rows.copy()
    for row, before in enumerate(rows.tolist()):
        if before >= 0 and _paths(new, row) != _paths(old, before):
            kept[row] = -1
    return kept


def _paths(network: Network, row: int) -> list[list[str]]:
    names = network.links.name
    return [
        [names[link] for link in hops if link < len(names)] for hops in network.tunnels.hops[row]
    ]


def _moved(rates: np.ndarray, rows: np.ndarray, instead: np.ndarray) -> np.ndarray:
    """Rates of the demands that stay, and `instead` of the others."""
    moved, is_kept = instead.copy(), rows >= 0
    width = min(moved.shape[1], rates.shape[1])
    moved[is_kept] = 0.0
    moved[is_kept, :width] = rates[rows[is_kept], :width]
    return moved

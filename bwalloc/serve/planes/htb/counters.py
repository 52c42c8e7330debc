"""Telemetry from what classes counted between two looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.control import DemandTelemetry, LinkTelemetry, SpanTelemetry, Telemetry
from bwalloc.serve.planes.htb.commands import FRAME
from bwalloc.serve.planes.htb.layout import ROOT, ClassId, Layout

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.serve.planes.htb.dump import ClassState, Dump
    from bwalloc.serve.planes.plane_file import Scale


class Counters:
    """Makes telemetry for one network.

    A demand is measured where its tunnels first meet a link of the plane: what was sent there, what
    joined the queue, and what the queue had no room for, is what it offered; headers count, as they
    do for the shaper. What it sent on the last link of the plane is what was served. TCP offers no
    more than it gets for long, so behind a full queue the load is an estimate from below.
    """

    def __init__(self, network: Network, layout: Layout, scale: Scale) -> None:
        """Find the classes of every demand."""
        self.network, self.layout, self.scale = network, layout, scale
        leaves = {
            (port.link, row): port.id(leaf.minor)
            for port in layout.ports
            for leaf in port.leaves
            for row in leaf.rows
        }
        self._tiers = _tiers(network, layout, scale)
        self._ends = [_ends(network, demand, leaves) for demand in range(network.n_demands)]
        self._all: list[set[ClassId]] = [set() for _ in range(network.n_demands)]
        for (_, row), key in leaves.items():
            self._all[row // network.n_tunnels].add(key)

    def telemetry(self, before: Dump, now: Dump) -> Telemetry:
        """What happened between two looks, in the network's units."""
        seconds = max(now.at_s - before.at_s, 1e-6)
        per_s = 8e-9 / self.scale.rate / seconds  # Gbit/s of the network for each byte
        return Telemetry(
            interval_end=datetime.now(UTC),
            interval_s=seconds * self.scale.time,
            demands=self._demands(before, now, per_s, seconds * self.scale.time),
            links=self._links(before, now, per_s),
            spans=self._spans(),
        )

    def _demands(self, before: Dump, now: Dump, per_s: float, interval_s: float) -> DemandTelemetry:
        network = self.network
        offered, served = np.full((2, network.n_demands), np.nan)
        queued = np.zeros(network.n_demands)
        for demand, (first, last) in enumerate(self._ends):
            if first and all(key in now.classes for key in (*first, *last)):
                load = sum(_offered(before.classes.get(key), now.classes[key]) for key in first)
                sent = sum(_sent(before.classes.get(key), now.classes[key]) for key in last)
                offered[demand], served[demand] = max(load, 0.0) * per_s, sent * per_s * interval_s
            waiting = [now.classes[key] for key in self._all[demand] if key in now.classes]
            backlog = sum(state.backlog_bytes for state in waiting)
            queued[demand] = backlog * 8e-9 / self.scale.rate * self.scale.time
        unknown = np.full(network.n_demands, np.nan)
        return DemandTelemetry(
            name=network.demands.name,
            offered_gbps=offered,
            recent_gbps=offered,  # nothing finer than the interval is counted
            peak_gbps=offered,
            served_gbit=served,
            expired_gbit=unknown,
            queued_gbit=queued[:, None],
            declared_gbit=np.zeros(network.n_demands),
            declared_due_s=unknown,
        )

    def _links(self, before: Dump, now: Dump, per_s: float) -> LinkTelemetry:
        links = self.network.links
        capacity = np.array(links.capacity_gbps, np.float64)
        carried = np.full(len(links.name), np.nan)
        is_up = [True] * len(links.name)
        for port in self.layout.ports:
            key, link = port.id(ROOT), port.link
            is_up[link] = now.is_up(port)
            capacity[link] = port.capacity_bps / self.scale.rate / 1e9 if is_up[link] else 0.0
            if key in now.classes:
                sent = _sent(before.classes.get(key), now.classes[key])
                carried[link] = sent * per_s
        return LinkTelemetry(links.name, capacity, carried, tuple(is_up))

    def _spans(self) -> SpanTelemetry:
        spans = self.network.spans
        unknown = np.full(len(spans.name), np.nan)
        return SpanTelemetry(spans.name, self._tiers, unknown, unknown)


def _tiers(network: Network, layout: Layout, scale: Scale) -> np.ndarray:
    """The tier of each span, Gbit/s: of one that is sold, that to which its interface is shaped."""
    tiers, offers = np.array(network.spans.tier_gbps, np.float64), network.offers
    if offers is None:
        return tiers
    menus, shares = offers.links_of(network.links), np.where(offers.is_sold, offers.share, np.inf)
    for port in layout.ports:
        if (menu := int(menus[port.link])) >= 0:
            largest_bps = float(network.links.capacity_gbps[port.link]) * scale.rate * 1e9
            place = int(np.abs(shares[menu] - port.capacity_bps / largest_bps).argmin())
            tiers[offers.span[menu]] = offers.tier_gbps[menu, place]
    return tiers


def _ends(
    network: Network, demand: int, leaves: dict[tuple[int, int], ClassId]
) -> tuple[list[ClassId], list[ClassId]]:
    """Classes in which a demand's packets first and last meet the plane; none if some never do."""
    first: set[ClassId] = set()
    last: set[ClassId] = set()
    for tunnel in np.flatnonzero(network.tunnels.exists[demand]).tolist():
        row = demand * network.n_tunnels + tunnel
        hops = network.tunnels.hops[demand, tunnel].tolist()
        crossed = [leaves[link, row] for link in hops if (link, row) in leaves]
        if not crossed:
            return [], []
        first.add(crossed[0])
        last.add(crossed[-1])
    return sorted(first), sorted(last)


def _since(before: ClassState | None, now: ClassState, name: str) -> int:
    """How much a counter has grown; one that fell began anew."""
    there, here = (0 if before is None else getattr(before, name)), getattr(now, name)
    return here - there if here >= there else here


def _sent(before: ClassState | None, now: ClassState) -> float:
    return float(_since(before, now, "sent_bytes"))


def _offered(before: ClassState | None, now: ClassState) -> float:
    """Bytes sent, queued and dropped; of dropped packets only the number is known."""
    sent = _sent(before, now)
    packets = _since(before, now, "sent_packets")
    size = sent / packets if packets else FRAME
    is_new = before is None or now.sent_bytes < before.sent_bytes
    joined = now.backlog_bytes - (0 if before is None or is_new else before.backlog_bytes)
    return sent + joined + size * _since(before, now, "dropped_packets")

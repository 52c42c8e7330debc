"""Which classes an HTB plane has, and on which interfaces: a network laid over a plane file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bwalloc.errors import PlaneError, nearest
from bwalloc.serve.planes.htb.rates import bits, shown

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.serve.planes.plane_file import Match, Mode, PlaneFile

ClassId: TypeAlias = tuple[int, int]
"""Major and minor number of a class."""

FIRST_MAJOR = 0xB000
"""Handles from here on are the mark of bwalloc: nothing else is ever changed or removed."""
LAST_MAJOR = 0xBFFF
ROOT, REST, FIRST_LEAF, FIRST_POOL = 1, 2, 0x10, 0x8000
MOST_LEAVES = FIRST_POOL - FIRST_LEAF
"""Numbers of classes have 16 bits, and so have those of their queues, of which the kernel gives
away the upper half by itself."""
UNCLASSIFIED_SHARE = 1e-3


@dataclass(frozen=True, slots=True)
class Leaf:
    """A class of its own on one interface.

    Attributes:
        minor: its number there.
        name: demand, and the tunnel where one has a class of its own.
        rows: whose rates it gets, rows `d * n_tunnels + k`.
        weight: with which it borrows.
        matches: which packets are its.
    """

    minor: int
    name: str
    rows: tuple[int, ...]
    weight: float
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Port:
    """A link on its interface.

    Attributes:
        rest_bps: what packets of no demand get.
        pool_of: of each leaf, the number of the class between it and the link, inside which it may
            borrow; 0 where there is none.
    """

    link: int
    name: str
    netns: str | None
    interface: str
    major: int
    capacity_bps: int
    rest_bps: int
    mode: Mode
    leaves: tuple[Leaf, ...]
    pool_of: tuple[int, ...]
    least_weight: float

    @property
    def pools(self) -> tuple[int, ...]:
        """Numbers of the classes between leaves and link."""
        return tuple(dict.fromkeys(pool for pool in self.pool_of if pool))

    @property
    def place(self) -> str:
        """For people."""
        where = "" if self.netns is None else f" in namespace '{self.netns}'"
        return f"interface '{self.interface}'{where} (link '{self.name}')"

    def id(self, minor: int) -> ClassId:
        """A class of it."""
        return self.major, minor


@dataclass(frozen=True, slots=True)
class Layout:
    """All ports, and the parameters their classes share."""

    ports: tuple[Port, ...]
    least_bps: int
    burst_s: float
    queue_packets: int

    @property
    def namespaces(self) -> tuple[str | None, ...]:
        """In which the ports are."""
        return tuple(dict.fromkeys(port.netns for port in self.ports))

    def ports_in(self, netns: str | None) -> tuple[Port, ...]:
        """Those of one namespace."""
        return tuple(port for port in self.ports if port.netns == netns)


def build_layout(network: Network, file: PlaneFile) -> Layout:
    """The classes that a network needs on the interfaces of a plane.

    Raises:
        PlaneError: The file names what the network has not, leaves a demand without a match, puts
            two links on one interface, or asks for more classes than there are numbers.
    """
    _check_names("link", file.links, network.links.name)
    _check_names("demand", (match.demand for match in file.matches), network.demands.name)
    _check_tunnels(network, file)
    _check_interfaces(file)
    links = [row for row, name in enumerate(network.links.name) if name in file.links]
    least_bps = shown(round(file.least_kbps * 1e3))
    ports = [_port(network, file, link, FIRST_MAJOR + n) for n, link in enumerate(links)]
    for port in ports:
        _check_room(port, least_bps)
    return Layout(tuple(ports), least_bps, file.burst_ms / 1e3, file.queue_packets)


def _port(network: Network, file: PlaneFile, link: int, major: int) -> Port:
    links, place = network.links, file.links[network.links.name[link]]
    gbps = place.capacity_gbps or _first_gbps(network, link)
    capacity = bits(gbps, file.scale.rate)
    rest = place.unclassified_gbps or UNCLASSIFIED_SHARE * gbps
    mode = place.mode or ("guarantee" if links.is_work_conserving[link] else "cap")
    leaves = _leaves(network, file, link)
    return Port(
        link=link,
        name=links.name[link],
        netns=place.netns,
        interface=place.interface,
        major=major,
        capacity_bps=shown(capacity),
        rest_bps=shown(max(bits(rest, file.scale.rate), round(file.least_kbps * 1e3))),
        mode=mode,
        leaves=leaves,
        pool_of=_pools(network, leaves) if mode == "connection" else (0,) * len(leaves),
        least_weight=min((leaf.weight for leaf in leaves if leaf.weight > 0), default=1.0),
    )


def _first_gbps(network: Network, link: int) -> float:
    """What a link can carry at the tier that its span begins with."""
    built, offers = float(network.links.capacity_gbps[link]), network.offers
    menu = -1 if offers is None else int(offers.links_of(network.links)[link])
    if offers is None or menu < 0:
        return built
    return built * float(offers.share[menu, offers.first[menu]])


def _leaves(network: Network, file: PlaneFile, link: int) -> tuple[Leaf, ...]:
    """Tunnels that cross a link; those of a demand that no match tells apart share a class."""
    demands, width = network.demands, network.n_tunnels
    matches: dict[str, list[Match]] = {}
    for match in file.matches:
        matches.setdefault(match.demand, []).append(match)
    crossing = np.flatnonzero((network.flat_hops == link).any(1)).tolist()
    members: dict[tuple[int, int | None], list[int]] = {}
    for row in crossing:
        demand, tunnel = divmod(row, width)
        found = matches.get(demands.name[demand], [])
        is_told = any(match.tunnel == tunnel for match in found)
        members.setdefault((demand, tunnel if is_told else None), []).append(row)
    leaves: list[Leaf] = []
    for number, ((demand, tunnel), rows) in enumerate(members.items()):
        name = demands.name[demand]
        own = tuple(each for each in matches.get(name, []) if each.tunnel == tunnel)
        if not own:
            whose = f"tunnel {rows[0] % width} of demand '{name}'"
            msg = (
                f"{whose} crosses link '{network.links.name[link]}', but no [[matches]] says which "
                "packets are its; add one."
            )
            raise PlaneError(msg)
        full = name if tunnel is None else f"{name}#{tunnel}"
        weight = float(demands.borrow_weight[demand])
        leaves.append(Leaf(FIRST_LEAF + number, full, tuple(rows), weight, own))
    return tuple(leaves)


def _pools(network: Network, leaves: Sequence[Leaf]) -> tuple[int, ...]:
    """One for each pair of sites, as `network.enforcement` has it for policed links."""
    demands, numbers = network.demands, dict[tuple[int, int], int]()
    found: list[int] = []
    for leaf in leaves:
        demand = leaf.rows[0] // network.n_tunnels
        pair = int(demands.source[demand]), int(demands.target[demand])
        found.append(numbers.setdefault(pair, FIRST_POOL + len(numbers)))
    return tuple(found)


def _check_names(kind: str, names: Iterable[str], known: Sequence[str]) -> None:
    there = set(known)
    for name in names:
        if name not in there:
            msg = f"The plane file names {kind} '{name}', which the network has not. "
            raise PlaneError(msg + nearest(name, known))


def _check_tunnels(network: Network, file: PlaneFile) -> None:
    rows = {name: row for row, name in enumerate(network.demands.name)}
    for match in file.matches:
        tunnel = match.tunnel
        there = int(network.tunnels.exists[rows[match.demand]].sum())
        if tunnel is not None and tunnel >= there:
            what = f"tunnel {tunnel} of demand '{match.demand}'"
            msg = f"The plane file names {what}, which has {there}, counted from 0."
            raise PlaneError(msg)


def _check_interfaces(file: PlaneFile) -> None:
    taken: dict[tuple[str | None, str], str] = {}
    for name, place in file.links.items():
        key = place.netns, place.interface
        if key in taken:
            msg = f"Links '{taken[key]}' and '{name}' are on one interface '{place.interface}'; "
            raise PlaneError(msg + "an interface carries one link.")
        taken[key] = name
    most = LAST_MAJOR - FIRST_MAJOR + 1
    if len(taken) > most:
        msg = f"{len(taken)} links; a plane has {most} at most. Give each machine a plane."
        raise PlaneError(msg)


def _check_room(port: Port, least_bps: int) -> None:
    count = len(port.leaves)
    if count > MOST_LEAVES:
        msg = (
            f"{port.place}: {count} classes, but ids have 16 bits and leave {MOST_LEAVES}; let "
            "tunnels share a class by leaving `tunnel` out of [[matches]]."
        )
        raise PlaneError(msg)
    if count * least_bps + port.rest_bps > port.capacity_bps:
        msg = (
            f"{port.place}: {count} classes at {least_bps} bit/s and {port.rest_bps} bit/s for "
            f"unclassified packets exceed its {port.capacity_bps} bit/s; lower least_kbps or "
            "unclassified_gbps."
        )
        raise PlaneError(msg)

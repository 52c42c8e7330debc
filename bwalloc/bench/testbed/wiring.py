"""What joins the namespaces: a veth pair per directed link, two addresses per tunnel, routes.

Packets of a link leave through `o<row>`, which the plane shapes, and arrive at `i<row>`; what
answers them goes back through the same pair and is not shaped, as acknowledgements cost nothing in
the simulator. All ends have the same hardware address and resolve none, so nothing but work is on
the wire.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.bench.testbed.spaces import Spaces, ip
from bwalloc.errors import PlaneError
from bwalloc.serve.planes.plane_file import PlaneFile

if TYPE_CHECKING:
    from bwalloc.network import Network

MAC = "02:00:00:00:00:01"
LEAST_KBPS, QUEUE_PACKETS = 8.0, 20
MOST_TUNNELS = 2**16 - 2


@dataclass(frozen=True, slots=True)
class Scale:
    """`rate`: bit/s of the testbed for each of the network; `time`: how much faster it runs."""

    rate: float
    time: float

    @property
    def bytes_per_gbit(self) -> float:
        """Work of the testbed for each Gbit of the network."""
        return self.rate / self.time * 1e9 / 8


def addresses(flow: int) -> tuple[str, str]:
    """Source and target of a tunnel, by its row `d * n_tunnels + k`."""
    high, low = divmod(flow + 1, 256)
    return f"10.1.{high}.{low}", f"10.2.{high}.{low}"


def wire(network: Network, home: np.ndarray, spaces: Spaces) -> None:
    """Make all interfaces, addresses and routes.

    Raises:
        PlaneError: `ip` failed, or there are more tunnels than addresses.
    """
    if network.n_demands * network.n_tunnels > MOST_TUNNELS:
        msg = f"{network.n_demands} demands have more tunnels than {MOST_TUNNELS} addresses."
        raise PlaneError(msg)
    names = [spaces.names[space] for space in home]
    ip("-batch", "-", lines=link_lines(network, names))
    for name, lines in inside_lines(network, names).items():
        ip("-n", name, "-batch", "-", lines=lines)


def link_lines(network: Network, names: list[str]) -> list[str]:
    """The veth pairs, each end made in the namespace of its site; `names` by site."""
    links = network.links
    return [
        f"link add o{row} netns {names[links.source[row]]} address {MAC} arp off type veth "
        f"peer name i{row} netns {names[links.target[row]]} address {MAC} arp off"
        for row in range(network.n_links)
    ]


def inside_lines(network: Network, names: list[str]) -> dict[str, list[str]]:
    """By namespace: interfaces up, addresses of the tunnels that begin or end there, routes."""
    links = network.links
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for row in range(network.n_links):
        lines[names[links.source[row]]].append(f"link set o{row} up")
        lines[names[links.target[row]]].append(f"link set i{row} up")
    for flow, hops in enumerate(network.flat_hops):
        path = hops[hops < network.n_links].tolist()
        if not path:
            continue
        source, target = addresses(flow)
        lines[names[links.source[path[0]]]].append(f"addr add {source}/32 dev lo")
        lines[names[links.target[path[-1]]]].append(f"addr add {target}/32 dev lo")
        for link in path:
            lines[names[links.source[link]]].append(f"route add {target}/32 dev o{link}")
            lines[names[links.target[link]]].append(f"route add {source}/32 dev i{link}")
    return dict(lines)


def plane_file(network: Network, home: np.ndarray, spaces: Spaces, scale: Scale) -> PlaneFile:
    """The plane over these interfaces; policed links lend inside a connection, as the simulator."""
    links = network.links
    places: dict[str, dict[str, Any]] = {
        name: {"interface": f"o{row}", "netns": spaces.names[home[links.source[row]]]}
        for row, name in enumerate(links.name)
    }
    for row, name in enumerate(links.name):
        if not links.is_work_conserving[row]:
            places[name]["mode"] = "connection"
    width = network.n_tunnels
    matches = [
        {"demand": network.demands.name[d], "tunnel": k, "to": f"{addresses(d * width + k)[1]}/32"}
        for d, k in np.argwhere(network.tunnels.exists).tolist()
    ]
    return PlaneFile.model_validate(
        {
            "schema": 1,
            "state": str(spaces.state),
            "scale": {"rate": scale.rate, "time": scale.time},
            "least_kbps": LEAST_KBPS,
            "queue_packets": QUEUE_PACKETS,
            "links": places,
            "matches": matches,
        }
    )

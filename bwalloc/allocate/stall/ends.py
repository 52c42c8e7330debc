"""How early a group can be done with its work, whatever else the network carries.

A cut gives every link a weight, none negative. What a member sends loads it with the least weight
of any of its tunnels per Gbit at least, and the links carry no more than weight times capacity: so
the work that arrived since any moment takes as long as the cut needs to carry it. Cuts are single
links, all links out of or into a site, and the one that an LP of the largest concurrent flow finds
worst (Shahrokhi & Matula, J. ACM 37 (1990)). Inside the substep in which a group is done, the
simulator lends what a neighbour leaves: offers may add up to three times a link, so there a cut
counts a third where neighbours are; the rates of one member by itself never exceed its links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.model import Model
from bwalloc.scenario.outages import room_gbit

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.allocate.plan.horizon import Units
    from bwalloc.network import Network
    from bwalloc.scenario import Scenario, World

LENT = 3.0
"""Most that the tunnels of a link are offered in a substep, over what it carries."""
IDLE_GBIT = 1e-4
"""Work that a member may hold while its group counts as drained (see `sim.dynamics`)."""
SLACK = 1e-5
"""Relative slack of volumes, for the float32 arithmetic of the simulator."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """What limits a group: loads per Gbit of each member, and what may be carried when.

    Attributes:
        load: of each demand, (cuts, demands); 0 outside the group.
        carried: what each cut can carry until the begin of a substep, (cuts, substeps + 1).
        lent: by how much offers may exceed it inside a substep, (cuts,).
    """

    load: Float[np.ndarray, "cuts demands"]
    carried: Float[np.ndarray, "cuts edges"]
    lent: Float[np.ndarray, " cuts"]

    def ends(self, start: int, gbit: Float[np.ndarray, "sets demands"]) -> np.ndarray:
        """Earliest end of sets of work that begin in a substep or later, in substeps, (sets,).

        A whole number is the begin of the substep; infinite where an episode is too short.
        """
        idle = IDLE_GBIT * self.load.sum(1)
        need = (gbit * (1.0 - SLACK)) @ self.load.T - idle
        ends = np.full(len(gbit), float(start))
        for cut, carried in enumerate(self.carried):
            goal = carried[start] + np.maximum(need[:, cut], 0.0)
            last = np.searchsorted(carried, goal, side="left") - 1
            last = np.maximum(last, start)
            inside = np.minimum(last, len(carried) - 2)
            room = np.maximum(carried[inside + 1] - carried[inside], TINY)
            part = np.clip((goal - carried[inside]) / room, 0.0, 1.0) / self.lent[cut]
            end = np.where(last > len(carried) - 2, np.inf, inside + part)
            ends = np.maximum(ends, np.where(need[:, cut] > 0, end, start))
        return ends


def cuts_of(scenario: Scenario, world: World, units: Units, rows: np.ndarray) -> Cuts:
    """The cuts of a group.

    Args:
        scenario: the environment.
        world: the episode, with links at their largest tiers.
        units: its work.
        rows: the demands of the group.
    """
    network = scenario.network
    room = room_gbit(world, scenario.timing)
    weights = _weights(network)
    mine = np.isin(units.demand, rows)
    total = np.bincount(units.demand[mine], units.gbit[mine], network.n_demands)
    worst = worst_cut(network, rows, total[rows], room.mean(1))
    weights = np.concatenate([weights, worst[None]])
    load = np.zeros((len(weights), network.n_demands))
    load[:, rows] = least_weight(network, weights, rows)
    useful = load.any(1)
    own = np.zeros((len(rows), network.n_demands))
    own[np.arange(len(rows)), rows] = 1.0
    carried = np.concatenate([weights[useful] @ room, _own_room(network, room, rows)])
    carried = np.concatenate([np.zeros((len(carried), 1)), carried.cumsum(1)], 1)
    lent = _lent(network, rows, weights[useful])
    return Cuts(np.concatenate([load[useful], own]), carried, np.append(lent, np.ones(len(rows))))


def least_weight(network: Network, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Weight of the lightest tunnel of each demand in `rows`, (cuts, rows)."""
    padded = np.concatenate([weights, np.zeros_like(weights[:, :1])], 1)
    by_tunnel = padded[:, network.tunnels.hops[rows]].sum(3)
    return np.where(network.tunnels.exists[rows], by_tunnel, np.inf).min(2)


def worst_cut(
    network: Network, rows: np.ndarray, gbit: np.ndarray, capacity: np.ndarray
) -> Float[np.ndarray, " links"]:
    """Weights of the links that bound the time in which `gbit` can be sent at once, best."""
    if not gbit.any():
        return np.zeros(network.n_links)
    model, tunnels = Model(), network.tunnels
    member, tunnel = np.nonzero(tunnels.exists[rows])
    flows = model.add_columns(np.zeros(len(member)))
    pace = model.add_columns(np.array([-1.0]))
    sent = model.add_rows(np.zeros(len(rows)))
    whole = max(float(gbit.max(initial=0.0)), TINY)
    model.add_entries(sent, np.repeat(pace, len(rows)), gbit / whole)
    model.add_entries(sent[member], flows, -1.0)
    scale = max(float(capacity.max(initial=0.0)), TINY)
    links = model.add_rows(capacity / scale)
    hops = tunnels.hops[rows][member, tunnel]
    place = np.nonzero(hops < network.n_links)
    model.add_entries(links[hops[place]], flows[place[0]], 1.0)
    return model.solve()[1][links]


def _weights(network: Network) -> np.ndarray:
    """Single links, and all links out of or into each site, (cuts, links)."""
    sites = np.arange(len(network.sites.name))[:, None]
    out, into = network.links.source == sites, network.links.target == sites
    return np.concatenate([np.eye(network.n_links), out, into]).astype(np.float64)


def _lent(network: Network, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """By how much what a group is offered in a substep may exceed what each cut carries, (cuts,).

    Only where several of its tunnels are in one pool with anybody else's, or several of its demands
    are: one of them may then be offered more than it takes, and another what that leaves. Tunnels
    of one demand run short together, and so does a tunnel by itself.
    """
    pools, mine = network.pools(), np.zeros(len(network.flat_hops), bool)
    demand = np.repeat(np.arange(network.n_demands), network.n_tunnels)
    mine[np.isin(demand, rows) & network.tunnels.exists.ravel()] = True
    lends = np.zeros(network.n_links, bool)
    for pool, link in enumerate(pools.link):
        inside = np.flatnonzero((pools.hops == pool).any(1))
        alike = len(np.unique(demand[inside])) == 1 and not pools.is_shared[pool]
        lends[link] |= mine[inside].sum() > 1 and not alike
    return np.where((weights[:, lends] > 0).any(1), LENT, 1.0)


def _own_room(network: Network, room: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What the tunnels of each demand can carry by themselves, (rows, substeps)."""
    padded = np.concatenate([room, np.full_like(room[:1], np.inf)])
    own = np.zeros((len(rows), room.shape[1]))
    for place, row in enumerate(rows):
        for tunnel in np.flatnonzero(network.tunnels.exists[row]):
            own[place] += padded[network.tunnels.hops[row, tunnel]].min(0)
    return own


TINY = 1e-12

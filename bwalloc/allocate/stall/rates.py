"""From a plan in which groups stall to rates by interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.plan.horizon import SHRINK
from bwalloc.scenario.outages import known_gbps

if TYPE_CHECKING:
    from bwalloc.allocate.plan.rates import Chunks
    from bwalloc.network import Network
    from bwalloc.scenario import Scenario, World

CARE = 2
"""Intervals after the last one in which a member is planned to send, in which it still may."""


def stall_rates(
    scenario: Scenario, world: World, chunks: Chunks, members: np.ndarray
) -> np.ndarray:
    """Rates of every interval, float64 (flat tunnels, intervals), that fit what is known.

    Members of groups are guaranteed their highest planned substep, all others the mean that is
    planned. What is left goes to members that send or have just sent, since what a plan in cells of
    time misses would stall their group for long; where links lend, that comes before the rest of
    the demands, as they lose nothing by it.

    Args:
        scenario: the environment.
        world: the episode.
        chunks: the plan.
        members: demands of groups that stall at a cost, those of the dearest group first.
    """
    network, timing = scenario.network, scenario.timing
    tunnels = network.n_tunnels
    by_substep = chunks.carried_gbit.reshape(-1, timing.intervals, timing.substeps)
    by_substep = np.where(by_substep > TINY, by_substep, 0.0) / timing.substep_s
    room = _Room(scenario, world)
    rates, mean = np.zeros(by_substep.shape[:2]), by_substep.mean(2)
    peak = _in_meters(scenario, by_substep.max(2), chunks.meter_gbps, members)
    widest = np.where(room.exists[:, None], room.left[network.flat_hops].min(1), 0.0)
    care = widest * _recent(by_substep, tunnels)
    lent = _is_lent(network)[:, None]
    care[:, : timing.warmup_intervals] = 0.0
    group = network.groups.member[members]
    by_group = [members[group == each] for each in dict.fromkeys(group.tolist())]
    turn = _turns(network, members, by_substep)
    by_turn = [np.repeat(turn == place, tunnels, 0) for place in range(turn.max() + 1)]
    dear, cheap = _others(scenario, members)
    need = _needed(scenario, world, mean)
    turns = [(dear, mean)] + [(members, peak * mine) for mine in by_turn]
    turns += [(members, peak * MARGIN), (members, care * LEAST_CARE)]
    turns += [(rows, care * lent) for rows in by_group]
    turns += [(cheap, mean)] + [(np.array([row]), need) for row in (*dear, *cheap)]
    turns += [(rows, care) for rows in by_group]
    for rows, asked in turns:
        flat = (rows[:, None] * tunnels + np.arange(tunnels)).ravel()
        rates[flat] += room.take(flat, np.maximum(asked[flat] - rates[flat], 0.0))
    return rates


def _needed(scenario: Scenario, world: World, mean: np.ndarray) -> np.ndarray:
    """Rates by which work that may wait for less than an interval meets its deadlines.

    Split over tunnels as the plan does; 0 for what may wait longer, (flat tunnels, intervals).
    """
    network, timing, slots = scenario.network, scenario.timing, scenario.slots
    gbps = world.arrivals_gbit.reshape(-1, network.n_demands).T.astype(np.float64)
    gbps = gbps / timing.substep_s
    need = np.zeros((network.n_demands, timing.intervals))
    for row in np.flatnonzero(slots.width_substeps == 1):
        window = int(slots.arrival_slot[row]) + 1
        total = np.concatenate([np.zeros(window), gbps[row].cumsum()])
        smooth = (total[window:] - total[:-window]) / window
        need[row] = smooth.reshape(timing.intervals, -1).max(1)
    split = mean.reshape(network.n_demands, -1, timing.intervals)
    usual = split.sum(2, keepdims=True)
    split = np.where(split.sum(1, keepdims=True) > TINY, split, usual)
    split = split / np.maximum(split.sum(1, keepdims=True), TINY)
    need[:, : timing.warmup_intervals] = 0.0
    return (need[:, None] * split).reshape(mean.shape)


def _turns(network: Network, members: np.ndarray, by_substep: np.ndarray) -> np.ndarray:
    """Whose group is first in each interval: the one that is planned to be done first.

    Where that ties, groups keep the order of `members`; -1 outside groups, (demands, intervals).
    """
    groups = list(dict.fromkeys(network.groups.member[members].tolist()))
    _, intervals, substeps = by_substep.shape
    sends = by_substep.reshape(network.n_demands, -1, intervals, substeps).any(1)
    until = np.where(sends, np.arange(1, substeps + 1), 0).max(2)
    done = np.stack([until[network.groups.member == group].max(0) for group in groups])
    done = np.where(done > 0, done, NEVER)
    place = np.argsort(np.argsort(done, axis=0, kind="stable"), axis=0, kind="stable")
    turn = np.full(until.shape, -1)
    for row, group in enumerate(groups):
        turn[members[network.groups.member[members] == group]] = place[row]
    return turn


def _others(scenario: Scenario, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Demands in no such group, dearest first: worth more per Gbit than any member's, and less."""
    law = scenario.network.law
    worth = law.value_usd_per_gbit[:, 0] + law.expiry_usd_per_gbit
    rank = np.argsort(-worth, kind="stable")
    others = rank[~np.isin(rank, members)]
    dear = worth[others] > worth[members].max(initial=0.0)
    return others[dear], others[~dear]


def _recent(by_substep: np.ndarray, tunnels: int) -> np.ndarray:
    """Whether a demand is planned to send in an interval or has just been, by flat tunnel."""
    sends = by_substep.any(2).reshape(-1, tunnels, by_substep.shape[1]).any(1)
    padded = np.pad(sends, ((0, 0), (CARE, 0)))
    recent = np.lib.stride_tricks.sliding_window_view(padded, CARE + 1, 1).any(2)
    return np.repeat(recent, tunnels, 0)


def _is_lent(network: Network) -> np.ndarray:
    """Flat tunnels all of whose links lend what is not used."""
    conserves = np.append(network.links.is_work_conserving, True)
    return np.asarray(conserves[network.flat_hops].all(1))


def _in_meters(
    scenario: Scenario, rates: np.ndarray, meters: np.ndarray, members: np.ndarray
) -> np.ndarray:
    """Rates of which those of members are no more together than each meter is planned to have."""
    pools = scenario.network.pools()
    is_member = np.isin(np.arange(len(rates)) // scenario.network.n_tunnels, members)
    for meter in np.flatnonzero(~pools.is_shared):
        rows = np.flatnonzero((pools.hops == meter).any(1) & is_member)
        total = np.maximum(rates[rows].sum(0), TINY)
        rates[rows] *= np.minimum(meters[meter] / total, 1.0)
    return rates


def stalling_members(scenario: Scenario, world: World) -> np.ndarray:
    """Demands of groups that stall at a cost, by what a group costs over how long a round takes.

    Ref: Smith, Naval Research Logistics Quarterly 3 (1956) 59-66.
    """
    network, timing = scenario.network, scenario.timing
    usd_per_s = np.append(network.groups.usd_per_s, 0.0)[network.groups.member]
    rows = np.flatnonzero(usd_per_s > 0)
    widths = np.append(network.links.capacity_gbps, np.inf)[network.tunnels.hops[rows]].min(2)
    gbps = np.where(network.tunnels.exists[rows], widths, 0.0).sum(1)
    alone_s = world.arrivals_gbit[:, :, rows].max((0, 1)) / np.maximum(gbps, TINY)
    group = network.groups.member[rows]
    round_s = np.full(len(network.groups.name), timing.substep_s)
    np.maximum.at(round_s, group, alone_s)
    return rows[np.argsort(-usd_per_s[rows] / round_s[group], kind="stable")]


class _Room:
    """What links have left, by interval."""

    def __init__(self, scenario: Scenario, world: World) -> None:
        network = scenario.network
        self.hops, links = network.flat_hops, network.n_links
        self.exists = network.tunnels.exists.ravel()
        self.left = np.full((links + 1, scenario.timing.intervals), np.inf)
        self.left[:links] = known_gbps(world).astype(np.float64).T * SHRINK

    def take(self, flat: np.ndarray, asked_gbps: np.ndarray) -> np.ndarray:
        """As much of some rates as fits, cut in proportion, (flat tunnels, intervals)."""
        given = np.zeros_like(asked_gbps)
        hops = self.hops[flat]
        for _ in range(ROUNDS):
            missing = (asked_gbps - given) * self.exists[flat, None]
            load = np.zeros_like(self.left)
            for hop in range(hops.shape[1]):
                np.add.at(load, hops[:, hop], missing)
            fit = np.clip(self.left / np.maximum(load, TINY), 0.0, 1.0)
            more = missing * fit[hops].min(1)
            given += more
            for hop in range(hops.shape[1]):
                np.subtract.at(self.left, hops[:, hop], more)
            np.maximum(self.left, 0.0, out=self.left)
        return given


TINY = 1e-9
NEVER = 10_000
"""After the last substep of an interval."""
ROUNDS = 2
MARGIN = 1.02
"""Guarantees of members over what is planned: what rounding leaves would stall a group for long."""
LEAST_CARE = 0.03
"""Share of its tunnels that a member keeps where it has just sent, ahead of cheaper demands."""

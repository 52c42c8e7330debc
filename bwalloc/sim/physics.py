"""The constants of the dynamics: everything of a scenario that one substep needs, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.arrays import Incidence

if TYPE_CHECKING:
    from bwalloc.money import ValueLaw
    from bwalloc.scenario import Scenario

ENDLESS_GBIT = 1e9
"""Stands for the unlimited last piece of the value law."""
ENDLESS_S = 1e6
"""Stands for a delay budget that nothing exceeds: infinity times no work would be no number."""
EDGE = 1e-6
"""Substeps by which a latency may miss the edge of one and still count as on it."""


@dataclass(frozen=True, slots=True)
class Physics:
    """Constants as float32 and int64 arrays, shaped to broadcast over the batch.

    Attributes:
        dt_s, substeps, shape: length and number of substeps; (demands, tunnels).
        links, pools: which links and which borrowing pools each flat tunnel crosses.
        pool_link, pool_is_shared: link of each pool; whether it is the whole link, (pools, 1).
        enters: 1 in the slot that new work enters, (demands, slots, 1).
        width_substeps: substeps per slot, 0 for work that never expires, (demands, 1).
        even_share: equal shares of the tunnels that exist, (demands, tunnels, 1).
        borrow_weight: (flat tunnels, 1).
        value_step, value_share, value_free: pieces of the value law, each (pieces, demands, 1).
        budget_s, grace_s: (demands, 1); `grace_s` is infinite outside groups.
        delay_s: propagation, (demands, tunnels, 1).
        group: group of each demand, or -1.
        members: rows of each group.
        smooth_gbit: work over which the steps of the law are smoothed; 0 is the law.
        burst_s, burst_gbit: what a tunnel may save: seconds of its rate, and at least so much.
        latency: substeps until new rates are in force.
        least_gbps: rate of every tunnel at least, (flat tunnels, 1); no rows where it is 0.
    """

    dt_s: float
    substeps: int
    shape: tuple[int, int]
    links: Incidence
    pools: Incidence
    pool_link: np.ndarray
    pool_is_shared: np.ndarray
    enters: np.ndarray
    width_substeps: np.ndarray
    even_share: np.ndarray
    borrow_weight: np.ndarray
    value_step: np.ndarray
    value_share: np.ndarray
    value_free: np.ndarray
    budget_s: np.ndarray
    grace_s: np.ndarray
    delay_s: np.ndarray
    group: np.ndarray
    members: tuple[np.ndarray, ...]
    smooth_gbit: float
    burst_s: float
    burst_gbit: float
    latency: float
    least_gbps: np.ndarray

    @property
    def is_prompt(self) -> bool:
        """Whether the rates in force are those decided, all interval long."""
        return not self.latency and not len(self.least_gbps)

    @property
    def has_bursts(self) -> bool:
        """Whether tunnels save anything."""
        return self.burst_s > 0 or self.burst_gbit > 0


def build_physics(scenario: Scenario, smooth_gbit: float = 0.0) -> Physics:
    """Collect the constants of `scenario`."""
    network, slots = scenario.network, scenario.slots
    demands, tunnels, pools = network.demands, network.tunnels, network.pools()
    exists = tunnels.exists.astype(np.float32)
    grace = np.append(network.groups.grace_s, np.inf)[network.groups.member]
    step, share, free = _value_pieces(network.law)
    plane = scenario.enforcement
    least = _column(plane.least_gbps * exists.ravel())
    return Physics(
        dt_s=scenario.timing.substep_s,
        substeps=scenario.timing.substeps,
        shape=(network.n_demands, network.n_tunnels),
        links=Incidence(network.flat_hops, network.n_links),
        pools=Incidence(pools.hops, len(pools.link)),
        pool_link=pools.link,
        pool_is_shared=pools.is_shared[:, None],
        enters=np.eye(slots.count, dtype=np.float32)[slots.arrival_slot][:, :, None],
        width_substeps=slots.width_substeps[:, None],
        even_share=(exists / exists.sum(1, keepdims=True))[:, :, None],
        borrow_weight=_column(np.repeat(demands.borrow_weight, network.n_tunnels)),
        value_step=step,
        value_share=share,
        value_free=free,
        budget_s=_column(np.minimum(demands.budget_ms / 1e3, ENDLESS_S)),
        grace_s=_column(grace),
        delay_s=tunnels.delay_ms.astype(np.float32)[:, :, None] / np.float32(1e3),
        group=network.groups.member.astype(np.int64),
        members=tuple(
            np.flatnonzero(network.groups.member == group)
            for group in range(len(network.groups.name))
        ),
        smooth_gbit=smooth_gbit,
        burst_s=plane.burst_s,
        burst_gbit=plane.burst_gbit,
        latency=_whole_if_near(plane.update_latency_s / scenario.timing.substep_s),
        least_gbps=least if plane.least_gbps > 0 else least[:0],
    )


def _column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[:, None]


def _whole_if_near(substeps: float) -> float:
    return float(round(substeps)) if abs(substeps - round(substeps)) < EDGE else substeps


def _value_pieces(law: ValueLaw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    endless = np.isinf(law.value_until)
    share = np.where(endless, 0.0, law.value_until)
    free = np.where(endless, ENDLESS_GBIT, 0.0)
    step = law.step_usd_per_gbit
    return tuple(piece.T.astype(np.float32)[:, :, None] for piece in (step, share, free))  # pyright: ignore[reportReturnType]

"""The proven bound: no policy, causal or not, earns more in this episode.

Proof. Give every pool (a shared link, or the meter of one site pair on a policed link) a price
per Gbit and substep, any non-negative number. Relaxing the capacity of the pools at these prices
can only raise the optimum (weak duality; Bertsekas, Nonlinear Programming, sec. 6.1). What is left
decouples: each unit of work takes its best substep and tunnel or is refused; a shared link is worth
price times capacity; a policed link gives its whole rate of an interval to the meter whose prices
add up to most. Stall and churn are costs, so leaving them out is safe, and so is forgetting that
rates split work in proportion and are decided before the load is known. All of it is evaluated
here in float64; the LP that found the prices need not be solved well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.horizon import Clock, Units, clock_of, refusal_usd_per_gbit, units_of

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.scenario import Scenario, World

ROUNDING = 1e-5
"""Relative slack for the float32 arithmetic of the simulator."""


def bound_usd_per_h(
    scenario: Scenario, world: World, prices: Float[np.ndarray, "pools substeps"]
) -> float:
    """Upper bound on the counted money of an episode, USD per hour.

    Args:
        scenario: the environment.
        world: the episode.
        prices: USD per Gbit of each pool of `scenario.network.pools()`; negatives count as 0.
    """
    prices = np.maximum(np.asarray(prices, np.float64), 0.0)
    units, clock = units_of(scenario, world), clock_of(scenario)
    earned = _capacity_worth(scenario, world, prices) + _work_worth(scenario, prices, units, clock)
    timing = scenario.timing
    hours = timing.counted_h
    bill = float(scenario.network.spans.usd_per_h.sum())
    return float(earned + ROUNDING * abs(earned)) / hours - bill


def _capacity_worth(scenario: Scenario, world: World, prices: np.ndarray) -> float:
    """What the pools could be sold for: shared links by substep, policed links by interval."""
    pools, timing = scenario.network.pools(), scenario.timing
    by_interval = prices.reshape(len(prices), timing.intervals, timing.substeps).sum(2)
    room = world.capacity_gbps.astype(np.float64).T * timing.substep_s
    shared = pools.is_shared
    worth = float((by_interval[shared] * room[pools.link[shared]]).sum())
    for link in np.unique(pools.link[~shared]):
        meters = np.flatnonzero(~shared & (pools.link == link))
        worth += float((by_interval[meters].max(0) * room[link]).sum())
    return worth


def _work_worth(scenario: Scenario, prices: np.ndarray, units: Units, clock: Clock) -> float:
    """Best response of all work to the prices."""
    price = tunnel_price(scenario, prices, clock)
    curved = scenario.network.law.is_curved[units.demand]
    return _curved_worth(scenario, price, units, clock, curved) + _linear_worth(
        scenario, price, units, clock, ~curved
    )


def tunnel_price(scenario: Scenario, prices: np.ndarray, clock: Clock) -> np.ndarray:
    """Price and egress of the cheapest tunnel of each demand, (demands, substeps)."""
    network = scenario.network
    padded = np.concatenate([prices, np.zeros_like(prices[:1])])
    egress = network.tunnels.egress_usd_per_gbit.reshape(-1)
    hops = network.pools().hops
    exists = network.tunnels.exists.reshape(-1)
    cheapest = np.full((network.n_demands, prices.shape[1]), np.inf)
    for row in np.flatnonzero(exists):
        demand = row // network.n_tunnels
        cost = padded[hops[row]].sum(0) + egress[row] * clock.counted
        np.minimum(cheapest[demand], cost, out=cheapest[demand])
    return cheapest


def _curved_worth(
    scenario: Scenario, price: np.ndarray, units: Units, clock: Clock, chosen: np.ndarray
) -> float:
    """Concave classes are served in the substep they arrive in, piece by piece."""
    law = scenario.network.law
    refused = -refusal_usd_per_gbit(scenario, units, clock)[chosen]
    demand, start, gbit = units.demand[chosen], units.start[chosen], units.gbit[chosen]
    until = np.minimum(np.nan_to_num(law.value_until, posinf=1.0), 1.0)
    width = np.diff(until, axis=1, prepend=0.0)
    worth = (1.0 - width[demand].sum(1)) * refused
    for piece in range(width.shape[1]):
        value = law.value_usd_per_gbit[demand, piece] * clock.counted[start]
        best = np.maximum(value - price[demand, start], refused)
        worth = worth + width[demand, piece] * best
    return float((worth * gbit).sum())


def _linear_worth(
    scenario: Scenario, price: np.ndarray, units: Units, clock: Clock, chosen: np.ndarray
) -> float:
    """Linear classes wait for the best substep of their window, or are refused."""
    law = scenario.network.law
    net = law.value_usd_per_gbit[:, :1] * clock.counted - price
    net -= law.late_usd_per_gbit_s[:, None] * clock.waited_s[:-1]
    best = -refusal_usd_per_gbit(scenario, units, clock)
    waited = law.late_usd_per_gbit_s[units.demand] * clock.waited_s[units.start]
    length = units.end - units.start
    for age in range(int(length[chosen & (length < SHORT)].max(initial=-1)) + 1):
        rows = np.flatnonzero(chosen & (length >= age) & (length < SHORT))
        served = net[units.demand[rows], units.start[rows] + age] + waited[rows]
        best[rows] = np.maximum(best[rows], served)
    for row in np.flatnonzero(chosen & (length >= SHORT)):
        window = net[units.demand[row], units.start[row] : units.end[row] + 1]
        best[row] = max(best[row], window.max() + waited[row])
    return float((best * units.gbit)[chosen].sum())


SHORT = 64
"""Windows below this many substeps are evaluated side by side, longer ones one by one."""

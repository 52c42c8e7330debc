"""The proven bound: no policy, causal or not, earns more in this episode.

Proof. Give every pool (a shared link, or the meter of one site pair on a policed link) a price
per Gbit and substep, any non-negative number. Relaxing the capacity of the pools at these prices
can only raise the optimum (weak duality; Bertsekas, Nonlinear Programming, sec. 6.1). What is left
decouples: each unit of work takes its best substep and tunnel or is refused; a shared link is worth
price times capacity; a policed link gives its whole rate of an interval to the meter whose prices,
times what the link can carry in each substep, add up to most (a link that fails inside the interval
cuts all of its meters in one proportion). The room of the dear pieces of a curved demand is relaxed
in the same way: what arrived in a substep gives room to whatever is served in it, old work too, and
that room is sold at prices of its own. Demands of a group whose stall costs money are not taken one
by one: the best ends of their busy periods are found together (`stall_dual`). Churn is a cost, so
leaving it out is safe, and so is forgetting that rates split work in proportion and are decided
before the load is known. All of it is evaluated here in float64; the LP that found the prices need
not be solved well.

What a plane makes of rates (`[enforcement]`) is in it. A link whose tunnels have buckets carries no
more than one bucket of its own would let it, as large as they are together: in the dual, each rise
of a price from one substep to the next is worth what that holds. While an update takes effect, a
policed link may serve other meters than after it. Least rates fit the links, as all rates do.
Buckets beside groups that stall are refused: how early a group is done is proven without them.

Where capacity is ordered, what the links of a span are worth is linear in its tier, and the bill of
one span does not depend on the others: the best path of its tiers at these prices, under the delays
and refusals of the episode, is found exactly (`tier_plan`), and joins the sum instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.orders.tier_plan import TierPlanner, tier_worth
from bwalloc.allocate.plan.horizon import (
    Clock,
    Pieces,
    Units,
    clock_of,
    pieces_of,
    refusal_usd_per_gbit,
    units_of,
)
from bwalloc.allocate.stall.dual import BusyPeriods, periods_of
from bwalloc.errors import ScenarioError
from bwalloc.scenario.outages import room_gbit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float

    from bwalloc.allocate.orders.tier_plan import TierPath
    from bwalloc.network import Network
    from bwalloc.scenario import Scenario, World

SCALES = (1.0, 0.75, 0.5, 0.0)
ROUNDING = 1e-5
"""Slack for the float32 arithmetic of the simulator, relative to all money that moves."""


def bound_usd_per_h(
    scenario: Scenario, world: World, prices: Float[np.ndarray, "pools substeps"]
) -> float:
    """Upper bound on the counted money of an episode, USD per hour.

    Where groups stall, shares of the prices are tried too: the LP takes stall to be linear in what
    a group holds, and may ask too much.

    Args:
        scenario: the environment.
        world: the episode.
        prices: USD per Gbit of each pool of `scenario.network.pools()`; negatives count as 0.
    """
    prices = np.maximum(np.asarray(prices, np.float64), 0.0)
    units, clock = units_of(scenario, world), clock_of(scenario)
    periods = _periods_of(scenario, world, units, clock)
    scales = SCALES if periods else (1.0,)
    return min(_bound(scenario, world, prices * scale, units, clock, periods) for scale in scales)


def _bound(
    scenario: Scenario,
    world: World,
    prices: np.ndarray,
    units: Units,
    clock: Clock,
    periods: list[BusyPeriods],
) -> float:
    worth = link_worth(scenario, world, prices)
    paths = best_paths(scenario, world, worth)
    earned = float(worth[~sold_links(scenario.network)].sum()) + sum(path.usd for path in paths)
    earned += packet_worth(scenario, prices)
    earned += _work_worth(scenario, world, prices, units, clock, periods)
    gross = _gross_usd(scenario, units, clock) + sum(abs(path.bill_usd) for path in paths)
    bill = scenario.network.fixed_usd_per_h
    return float(earned + ROUNDING * gross) / scenario.timing.counted_h - bill


def value_usd(scenario: Scenario, world: World, prices: np.ndarray) -> float:
    """Bound on the counted value of an episode whose capacities are given; bills are left out."""
    units, clock = units_of(scenario, world), clock_of(scenario)
    worth = float(link_worth(scenario, world, prices).sum()) + packet_worth(scenario, prices)
    periods = _periods_of(scenario, world, units, clock)
    return worth + _work_worth(scenario, world, prices, units, clock, periods)


def best_paths(
    scenario: Scenario, world: World, worth: Float[np.ndarray, "links intervals"]
) -> list[TierPath]:
    """The best path of each span that is sold, at what its links are worth; none without offers."""
    offers = scenario.network.offers
    if offers is None:
        return []
    menu = offers.links_of(scenario.network.links)
    planner = TierPlanner(scenario, world)
    return [planner.best(row, usd) for row, usd in enumerate(tier_worth(offers, menu, worth))]


def sold_links(network: Network) -> np.ndarray:
    """Which links are those of a span whose capacity is ordered, (links,)."""
    if network.offers is None:
        return np.zeros(network.n_links, bool)
    return network.offers.links_of(network.links) >= 0


def _gross_usd(scenario: Scenario, units: Units, clock: Clock) -> float:
    """All money that could change hands, whatever its sign: what rounding is relative to."""
    dearest = scenario.network.law.value_usd_per_gbit.max(1)
    egress = scenario.network.tunnels.egress_usd_per_gbit.max(1, initial=0.0)
    refused = refusal_usd_per_gbit(scenario, units, clock)
    stall = scenario.network.groups.usd_per_s.sum() * clock.waited_s[-1]
    return float((units.gbit * ((dearest + egress)[units.demand] + refused)).sum() + stall)


def link_worth(
    scenario: Scenario, world: World, prices: np.ndarray
) -> Float[np.ndarray, "links intervals"]:
    """What links could be sold for: shared ones by substep, policed ones to one meter each.

    Where an update takes time, to one meter until it is in force, and to one from then on.
    """
    pools, timing = scenario.network.pools(), scenario.timing
    saved = scenario.enforcement.burst_s / timing.substep_s
    worth = prices + saved * _rises(prices) if saved > 0 else prices
    sold = worth * room_gbit(world, timing)[pools.link]
    sold = sold.reshape(len(prices), timing.intervals, timing.substeps)
    parts = [_sold_once(scenario, part) for part in _under_one_decision(scenario, sold)]
    return np.sum(parts, 0) if len(parts) > 1 else parts[0]


def _sold_once(scenario: Scenario, sold: np.ndarray) -> np.ndarray:
    """By link and interval, of what pools could be sold for in each substep of it."""
    pools, by_interval = scenario.network.pools(), sold.sum(2)
    shared = pools.is_shared
    worth = np.zeros((scenario.network.n_links, by_interval.shape[1]))
    np.add.at(worth, pools.link[shared], by_interval[shared])
    np.maximum.at(worth, pools.link[~shared], by_interval[~shared])
    return worth


def _under_one_decision(scenario: Scenario, sold: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of `sold`, (pools, intervals, substeps), in which one decision is in force."""
    timing = scenario.timing
    late = scenario.enforcement.update_latency_s / timing.substep_s
    if late > 0:
        old = np.clip(late - np.arange(timing.substeps), 0.0, 1.0)
        yield sold * old
        sold = sold * (1.0 - old)
    yield sold


def packet_worth(scenario: Scenario, prices: np.ndarray) -> float:
    """What buckets are worth that tunnels have whatever their rates, USD."""
    least = scenario.enforcement.burst_gbit
    if least <= 0:
        return 0.0
    network, pools = scenario.network, scenario.network.pools()
    crossing = pools.hops[network.tunnels.exists.ravel()]
    count = np.bincount(crossing[crossing < len(pools.link)], minlength=len(pools.link))
    return float(least * (count @ _rises(prices).sum(1)))


def _rises(prices: np.ndarray) -> np.ndarray:
    """What a Gbit gains that is kept for the next substep; nothing is worth any after the last."""
    return np.maximum(np.diff(prices, axis=1, append=0.0), 0.0)


def _periods_of(scenario: Scenario, world: World, units: Units, clock: Clock) -> list[BusyPeriods]:
    periods = periods_of(scenario, world, units, clock)
    if periods and scenario.enforcement.has_bursts:
        msg = (
            f"'{scenario.slug}' has groups that stall and enforcement.burst_s or burst_gbit above "
            "0: its bound is not known. Set both to 0, or compare with --no-bound."
        )
        raise ScenarioError(msg)
    return periods


def _work_worth(
    scenario: Scenario,
    world: World,
    prices: np.ndarray,
    units: Units,
    clock: Clock,
    groups: list[BusyPeriods],
) -> float:
    """Best response of all work to the prices of pools and to those of value pieces."""
    price = tunnel_price(scenario, prices, clock)
    pieces = pieces_of(scenario, units)
    refused = -refusal_usd_per_gbit(scenario, units, clock)
    net = pieces.endless[:, None] * clock.counted - price
    rent = 0.0
    for row in map(int, np.flatnonzero((pieces.width > 0).any(1))):
        mine = units.demand == row
        rent += _sell_pieces(net[row], row, pieces, clock, (units.start[mine], refused[mine]))
    late = scenario.network.law.late_usd_per_gbit_s
    net -= late[:, None] * clock.waited_s[:-1]
    waited = late[units.demand] * clock.waited_s[units.start]
    is_alone = np.ones(len(units.gbit), bool)
    room = room_gbit(world, scenario.timing)
    for periods in groups:
        slots = {
            row: _slots(scenario, prices, net[row] + price[row], room, row, clock)
            for row in map(int, np.unique(units.demand[periods.group.units]))
        }
        rent += periods.best(slots, waited, refused)
        is_alone[periods.group.units] = False
    return rent + _best_service(net, units, waited, refused, is_alone)


def _slots(
    scenario: Scenario,
    prices: np.ndarray,
    free: np.ndarray,
    room: np.ndarray,
    row: int,
    clock: Clock,
) -> tuple[np.ndarray, np.ndarray]:
    """What a Gbit of a demand earns by tunnel and substep, and how many fit, if links were free."""
    network = scenario.network
    tunnels = np.flatnonzero(network.tunnels.exists[row])
    pools = np.concatenate([prices, np.zeros_like(prices[:1])])
    hops = network.pools().hops.reshape(network.n_demands, network.n_tunnels, -1)
    links = np.concatenate([room, np.full_like(room[:1], np.inf)])
    egress = network.tunnels.egress_usd_per_gbit[row, tunnels]
    cost = pools[hops[row, tunnels]].sum(1) + egress[:, None] * clock.counted
    return free - cost, links[network.tunnels.hops[row, tunnels]].min(1)


def _sell_pieces(
    net: np.ndarray,
    row: int,
    pieces: Pieces,
    clock: Clock,
    refused: tuple[np.ndarray, np.ndarray],
) -> float:
    """Price the dear pieces of one demand; add to `net` what a Gbit gains from them, return rent.

    Any non-negative prices would do. These leave a Gbit no better off with a piece than without,
    which is exact for work that cannot wait.
    """
    without = np.full(len(net), -np.inf)
    np.maximum.at(without, refused[0], refused[1])
    base = np.maximum(without, net)
    offered, has_room = pieces.offered_gbit[row], pieces.offered_gbit[row] > 0
    best, rent = net.copy(), 0.0
    for extra, width in zip(pieces.extra[row], pieces.width[row], strict=True):
        if width > 0:
            gain = net + extra * clock.counted
            surplus = np.maximum(gain[has_room] - base[has_room], 0.0)
            rent += float(width * (surplus * offered[has_room]).sum())
            best = np.where(has_room, np.maximum(best, np.minimum(gain, base)), best)
    net[:] = best
    return rent


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


def _best_service(
    net: np.ndarray,
    units: Units,
    waited: np.ndarray,
    refused: np.ndarray,
    is_alone: np.ndarray,
) -> float:
    """Every unit outside groups waits for the best substep of its window, or is refused."""
    length, best = units.end - units.start, np.where(is_alone, refused, 0.0)
    for age in range(int(length[length < SHORT].max(initial=-1)) + 1):
        rows = np.flatnonzero((length >= age) & (length < SHORT) & is_alone)
        served = net[units.demand[rows], units.start[rows] + age] + waited[rows]
        best[rows] = np.maximum(best[rows], served)
    for row in np.flatnonzero((length >= SHORT) & is_alone):
        window = net[units.demand[row], units.start[row] : units.end[row] + 1]
        best[row] = max(best[row], window.max() + waited[row])
    return float((best * units.gbit).sum())


SHORT = 64
"""Windows below this many substeps are evaluated side by side, longer ones one by one."""

"""Limits a decision must keep: one check for the simulator, the benchmark and the guard."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.errors import DecisionError, LimitsError, nearest
from bwalloc.network.privacy import private_tunnels

if TYPE_CHECKING:
    from bwalloc.network import Network

TOLERANCE = 1e-5
"""Relative overload that float32 sums may show."""


MOST_FACTOR = 1e6
"""Beyond this multiple of what was built nothing measured is believed."""
MOST_GBPS = 1e9
"""No rate anybody may ask for is larger; float32 and its sums hold it."""


@dataclass(frozen=True)
class Limits:
    """What every decision is held to, whoever made it; the defaults limit nothing but capacity.

    Capacities, residency and encryption need no entry: they are in the telemetry and in the tunnels
    of the network. Where limits contradict each other the one named first wins: capacity, what an
    operator overrides, floors, caps of tenants, largest step, least change.

    Attributes:
        floors_gbps: rate a demand gets at least, by name; the larger of this and the network's own.
        tenant_gbps: rate that the demands of a tenant get at most, all together, by tenant.
        static_gbps: rate of a demand in the static table, by name; the others share what is left.
        largest_step_gbps: a rate of a tunnel moves at most this much from one decision to the next.
        least_change: share of a rate below which a change is not worth an update: the old rate
            stays where it fits.
        max_usd_per_h: orders never bring the hourly bill above this.
        max_usd_per_month: nor the bill of a calendar month (UTC), were nothing ever released again.
        max_orders_per_h: orders in any 60 minutes, releases included.
        approval_above_usd_per_h: an order that adds more than this to the hourly bill waits for
            `Supervisor.approve`.
        approval_waits_s: how long it waits before it lapses.
        decide_within_s: time for one decision, later answers of a policy are dropped; None is a
            fifth of the interval, 2 s at most.
        stale_after_s: telemetry older than this is not decided upon; None is two intervals.
        future_s: telemetry may be so far ahead of this clock; None is half an interval.
        last_good_s: how long the last good decision stands in once telemetry fails, and how long
            what was last measured stands for what is missing; None is three intervals.
        capacity_up_to: a capacity beyond this multiple of what was built is a wrong unit.
        offered_up_to: so is an offered load beyond this multiple of the demand's widest tunnel.
    """

    floors_gbps: Mapping[str, float] = field(default_factory=dict[str, float])
    tenant_gbps: Mapping[str, float] = field(default_factory=dict[str, float])
    static_gbps: Mapping[str, float] = field(default_factory=dict[str, float])
    largest_step_gbps: float = math.inf
    least_change: float = 0.0
    max_usd_per_h: float = math.inf
    max_usd_per_month: float = math.inf
    max_orders_per_h: float = math.inf
    approval_above_usd_per_h: float = math.inf
    approval_waits_s: float = 3600.0
    decide_within_s: float | None = None
    stale_after_s: float | None = None
    future_s: float | None = None
    last_good_s: float | None = None
    capacity_up_to: float = 16.0
    offered_up_to: float = 50.0

    def __post_init__(self) -> None:
        """Refuse numbers that make no limit.

        Raises:
            LimitsError: A number is negative, no number, or a share beyond 1; names the field.
        """
        for place, value in self._numbers():
            if not value >= 0:  # NaN too
                msg = f"Limits.{place}: got {value}, must be a number of at least 0."
                raise LimitsError(msg)
        self._check_what_is_computed_with()

    def _check_what_is_computed_with(self) -> None:
        """Refuse what float32 or the projection cannot compute with."""
        for name in ("floors_gbps", "static_gbps"):
            for key, value in getattr(self, name).items():
                if value > MOST_GBPS:
                    msg = f"Limits.{name}, '{key}': got {value}, must be at most {MOST_GBPS:g}."
                    raise LimitsError(msg)
        if self.decide_within_s == 0:
            msg = "Limits.decide_within_s: got 0, must be above 0; no policy answers in no time."
            raise LimitsError(msg)
        if self.least_change >= 1:
            msg = f"Limits.least_change: got {self.least_change}, must be a share below 1."
            raise LimitsError(msg)
        for name in ("capacity_up_to", "offered_up_to"):
            if not 1 <= getattr(self, name) <= MOST_FACTOR:
                msg = f"Limits.{name}: must be at least 1 and at most {MOST_FACTOR:g}."
                raise LimitsError(msg)

    def _numbers(self) -> Iterator[tuple[str, float]]:
        for each in fields(self):
            value: Any = getattr(self, each.name)
            if isinstance(value, Mapping):
                yield from ((f"{each.name}, '{key}'", float(one)) for key, one in value.items())
            elif value is not None:
                yield each.name, float(value)

    def check_names(self, network: Network) -> None:
        """Refuse limits of demands and tenants that a network does not have: slips of the writer.

        Raises:
            LimitsError: Naming the nearest; or a tenant's floors together exceed its cap.
        """
        demands = network.demands
        tables = {
            "floors_gbps": demands.name,
            "static_gbps": demands.name,
            "tenant_gbps": demands.tenant,
        }
        for field_name, names in tables.items():
            known = set(names)
            for name in getattr(self, field_name):
                if name not in known:
                    what = "tenant" if field_name == "tenant_gbps" else "demand"
                    msg = f"Limits.{field_name}: no {what} '{name}' in network '{network.name}'. "
                    raise LimitsError(msg + nearest(name, known))
        floors, tenant = floors_of(network, self), np.array(demands.tenant)
        for name, cap in self.tenant_gbps.items():
            promised = float(floors[tenant == name].sum())
            if promised > cap:
                msg = (
                    f"Limits.tenant_gbps, '{name}': {cap:g} is less than the floors of its demands "
                    f"together, {promised:g}; raise it, or lower them."
                )
                raise LimitsError(msg)


@dataclass(frozen=True, slots=True)
class Times:
    """The time limits of `Limits` for one network, in seconds, none left open."""

    decide_within_s: float
    stale_after_s: float
    future_s: float
    last_good_s: float

    @classmethod
    def of(cls, limits: Limits, interval_s: float) -> Times:
        """Fill what was left open."""
        return cls(
            _given(limits.decide_within_s, min(0.2 * interval_s, 2.0)),
            _given(limits.stale_after_s, 2.0 * interval_s),
            _given(limits.future_s, 0.5 * interval_s),
            _given(limits.last_good_s, 3.0 * interval_s),
        )


def _given(value: float | None, default: float) -> float:
    return default if value is None else float(value)


def violations(
    network: Network,
    rates_gbps: np.ndarray,
    capacity_gbps: np.ndarray,
    limits: Limits | None = None,
) -> np.ndarray:
    """How many limits each decision breaks, (B,): links overloaded and rates off the tunnels.

    A tunnel that leaves the regions of its demand, or crosses a link without the encryption it
    asks for, is none. A rate that is negative or not finite counts too, and so does a demand below
    its floor if all floors fit together. With `limits`, floors may be higher, and tenants above
    their cap count.

    Args:
        network: whose tunnels and links.
        rates_gbps: (demands, tunnels, B).
        capacity_gbps: of the telemetry the decision answered, (links, B).
        limits: what else decisions are held to.

    Raises:
        DecisionError: the shape does not fit the network.
    """
    expected = network.tunnels.exists.shape
    if rates_gbps.shape[:2] != expected:
        msg = f"Rates of shape {rates_gbps.shape[:2]} for {expected} (demands, tunnels)."
        raise DecisionError(msg)
    unsound = ~np.isfinite(rates_gbps) | (rates_gbps < 0)
    stray = (rates_gbps > 0) & ~private_tunnels(network)[:, :, None]
    sound = np.where(unsound, 0, rates_gbps).astype(np.float64)
    flat = sound.reshape(-1, rates_gbps.shape[2])
    load = np.zeros((network.n_links + 1, flat.shape[1]))
    np.add.at(load, network.flat_hops.ravel(), np.repeat(flat, network.flat_hops.shape[1], 0))
    over = load[:-1] > capacity_gbps * (1 + TOLERANCE) + TOLERANCE
    broken = (unsound | stray).sum((0, 1)) + over.sum(0)
    if limits is None:
        return broken + _broken_floors(network, sound.sum(1), capacity_gbps)
    return broken + _broken_promises(network, sound.sum(1), capacity_gbps, limits)


def floors_of(network: Network, limits: Limits) -> np.ndarray:
    """The floor of each demand, the network's own or that of the limits, Gbit/s (demands,)."""
    given = [limits.floors_gbps.get(name, 0.0) for name in network.demands.name]
    own = np.asarray(network.demands.floor_gbps, np.float64)
    return np.maximum(own, np.array(given, np.float64))


def _broken_floors(
    network: Network, total_gbps: np.ndarray, capacity_gbps: np.ndarray
) -> np.ndarray | int:
    """Demands below a floor of the network that could be kept, (B,)."""
    if not network.demands.floor_gbps.any():
        return 0
    from bwalloc.allocate.floors import MET  # which needs `decode`, and this does not
    from bwalloc.allocate.reserve import reserve_of

    reserve = reserve_of(network)
    due = 0.0 if reserve is None else reserve.due_gbps(capacity_gbps)
    return (total_gbps < due * (1 - 2 * MET)).sum(0)


def _broken_promises(
    network: Network, total_gbps: np.ndarray, capacity_gbps: np.ndarray, limits: Limits
) -> np.ndarray:
    """Tenants above their cap, and demands below a floor that could be kept, (B,)."""
    from bwalloc.allocate.floors import MET, FloorPlan  # which needs `decode`, and this does not

    floors = floors_of(network, limits)
    plan = FloorPlan(network, floors)
    whole = np.array([plan(capacity_gbps[:, column])[1] for column in range(total_gbps.shape[1])])
    short = (total_gbps < floors[:, None] * (1 - 2 * MET)) & whole
    tenant = np.array(network.demands.tenant)
    over = [
        total_gbps[tenant == name].sum(0) > cap * (1 + TOLERANCE) + TOLERANCE
        for name, cap in limits.tenant_gbps.items()
    ]
    return short.sum(0) + (np.sum(over, 0) if over else 0)

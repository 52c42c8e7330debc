"""Projection: the nearest rates to those asked for that keep every limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.floors import MET, FloorPlan
from bwalloc.allocate.limits import Limits, floors_of
from bwalloc.allocate.rule import wide_split
from bwalloc.arrays import Incidence
from bwalloc.network.privacy import private_tunnels

if TYPE_CHECKING:
    from bwalloc.network import Network

SLACK = 1e-6
"""Relative overload that float32 sums show, and that is left alone."""


class Fixed(NamedTuple):
    """Totals that an operator set: which demands, and Gbit/s of each; both (demands,)."""

    is_fixed: np.ndarray
    total_gbps: np.ndarray


@dataclass(frozen=True, slots=True)
class Held:
    """Rates that keep the limits, float64 (demands, tunnels), and what was done to them.

    `moved_share` is half the sum of all changes over the sum of the rates asked for. `done` counts
    by word of `bwalloc.serve.reasons`.
    """

    rates_gbps: np.ndarray
    moved_share: float
    done: dict[str, int]


class Projection:
    """Holds rates to the limits of one network; rates that keep them come back bit by bit.

    In this order, the first winning: tunnels that exist and keep residency and encryption, capacity
    of links, what an operator fixed, floors, caps of tenants, largest step, least change.
    """

    def __init__(self, network: Network, limits: Limits) -> None:
        """Collect the floors and the caps; a cap is one more link that a tenant's tunnels cross."""
        self.network, self.limits = network, limits
        self.exists = private_tunnels(network)
        self.floors_gbps = floors_of(network, limits)
        tenants, self._caps = _capped(network, limits)
        hops, links = network.flat_hops, network.n_links
        if len(self._caps):
            pad = links + len(self._caps)
            tunnel_tenant = np.repeat(tenants, network.n_tunnels)[:, None]
            mine = np.where(tunnel_tenant >= 0, links + tunnel_tenant, pad)
            hops = np.concatenate([np.where(hops == links, pad, hops), mine], 1)
        self.paths = Incidence(hops, links + len(self._caps))
        self.decoder = Decoder(network, keeps_floors=False)
        self._plan: tuple[bytes, FloorPlan | None] = b"", None

    def __call__(
        self,
        rates_gbps: np.ndarray,
        capacity_gbps: np.ndarray,
        previous_gbps: np.ndarray | None = None,
        fixed: Fixed | None = None,
    ) -> Held:
        """The rates that come nearest.

        Args:
            rates_gbps: finite, not negative, (demands, tunnels).
            capacity_gbps: (links,).
            previous_gbps: rates that hold now, (demands, tunnels); None limits no change.
            fixed: what an operator set.
        """
        asked = np.where(self.exists, rates_gbps, 0.0).astype(np.float64)
        done: dict[str, int] = {}
        room, floors, base = capacity_gbps, self.floors_gbps, None
        wish = asked
        if fixed is not None:
            base = self._placed(fixed, capacity_gbps)
            room = np.maximum(capacity_gbps - self._load(base)[: len(capacity_gbps)], 0.0)
            floors = np.where(fixed.is_fixed, 0.0, floors)
            wish = np.where(fixed.is_fixed[:, None], 0.0, asked)
            done["override"] = int(fixed.is_fixed.sum())
        whole = np.concatenate([room, self._caps])
        rates = self._shrunk(wish, whole)
        if rates is not wish:
            done["over-capacity"] = int((rates < wish).sum())
        if previous_gbps is not None:
            rates = self._stepped(rates, previous_gbps, whole, done, fixed)
        rates = self._floored(rates, whole, floors, done)
        if previous_gbps is not None and self.limits.least_change > 0:
            rates = self._kept(rates, previous_gbps, whole, floors, done, fixed)
        if base is not None:
            rates = rates + base
        if rates is asked:
            return Held(rates, 0.0, done)
        moved = 0.5 * float(np.abs(rates - asked).sum())
        return Held(rates, moved / max(float(asked.sum()), 1e-9), done)

    def overloads(self, rates_gbps: np.ndarray, capacity_gbps: np.ndarray) -> np.ndarray:
        """Load over capacity of each link in Gbit/s, negative where there is room, (links,)."""
        return self._load(rates_gbps)[: len(capacity_gbps)] - capacity_gbps

    def planned_gbps(self, rates_gbps: np.ndarray) -> np.ndarray:
        """Load that rates put on each link, (links,)."""
        return self._load(rates_gbps)[: self.network.n_links]

    def _load(self, rates: np.ndarray) -> np.ndarray:
        return self.paths.total(rates.reshape(-1, 1))[:, 0]

    def _shrunk(self, rates: np.ndarray, room: np.ndarray) -> np.ndarray:
        """Each tunnel scaled by its most overloaded resource; the same array if none is."""
        load = self._load(rates)
        over = load > room * (1 + SLACK)
        if not over.any():
            return rates
        share = np.ones_like(load)
        share[over] = np.maximum(room[over], 0.0) / load[over]
        return rates * self.paths.least(share[:, None]).reshape(rates.shape)

    def _stepped(
        self,
        rates: np.ndarray,
        previous: np.ndarray,
        room: np.ndarray,
        done: dict[str, int],
        fixed: Fixed | None,
    ) -> np.ndarray:
        """Decreases first, by a step at most; then increases, by a step and by the room left."""
        step = self.limits.largest_step_gbps
        if not (np.abs(rates - previous) > step).any():
            return rates
        before = previous if fixed is None else np.where(fixed.is_fixed[:, None], 0.0, previous)
        before = self._shrunk(np.where(self.exists, before, 0.0), room)
        lowered = np.maximum(np.minimum(rates, before), before - step)
        rise = np.clip(rates - before, 0.0, step)
        left = np.maximum(room - self._load(lowered), 0.0)
        limited = lowered + self._shrunk(rise, left)
        cut = int((np.abs(limited - rates) > 1e-9).sum())
        if not cut:
            return rates
        done["step-limited"] = cut
        return limited

    def _floored(
        self, rates: np.ndarray, room: np.ndarray, floors: np.ndarray, done: dict[str, int]
    ) -> np.ndarray:
        """Rates with every floor met: the floors take their place first where one is not."""
        short = rates.sum(1) < floors * (1 - MET)
        if not short.any():
            return rates
        links = self.network.n_links
        plan, is_whole = self._plan_for(floors)(room[:links])
        if not is_whole:
            done["floors-infeasible"] = int((plan.sum(1) < floors * (1 - MET)).sum())
        extra = np.maximum(rates - plan, 0.0)
        total, wanted = extra.sum(1), np.maximum(rates.sum(1) - plan.sum(1), 0.0)
        scale = np.minimum(1.0, wanted / np.maximum(total, 1e-12))
        left = np.maximum(room - self._load(plan), 0.0)
        raised = plan + self._shrunk(extra * scale[:, None], left)
        done["floors-raised"] = int(short.sum())
        return raised

    def _kept(
        self,
        rates: np.ndarray,
        previous: np.ndarray,
        room: np.ndarray,
        floors: np.ndarray,
        done: dict[str, int],
        fixed: Fixed | None,
    ) -> np.ndarray:
        """The old rate wherever the change is small, and the old rate fits."""
        small = (np.abs(rates - previous) <= self.limits.least_change * previous) & self.exists
        small &= rates != previous
        if fixed is not None:
            small &= ~fixed.is_fixed[:, None]
        if not small.any():
            return rates
        most = room * (1 + SLACK)
        over = self._load(np.where(small, previous, rates)) > most
        if over.any():  # a rate that was higher stays only where all of its links have room
            free = self.paths.least(np.where(over, 0.0, 1.0)[:, None]).reshape(rates.shape)
            small &= (free > 0) | (previous < rates)
        total = np.where(small, previous, rates).sum(1)
        small &= (total >= np.minimum(floors, rates.sum(1)))[:, None]
        kept = np.where(small, previous, rates)
        if not small.any() or (self._load(kept) > most).any():
            return rates
        done["kept"] = int(small.sum())
        return kept

    def _placed(self, fixed: Fixed, capacity: np.ndarray) -> np.ndarray:
        """Fixed totals put on their tunnels as far as links carry them, (demands, tunnels)."""
        want = np.where(fixed.is_fixed, fixed.total_gbps, 0.0).astype(np.float32)[:, None]
        room = capacity.astype(np.float32)[:, None]
        ask = Ask(want, want + np.float32(1e-6), wide_split(self.network, room), want * 0)
        return self.decoder(ask, room)[:, :, 0].astype(np.float64)

    def _plan_for(self, floors: np.ndarray) -> FloorPlan:
        key, (known, plan) = floors.tobytes(), self._plan
        if plan is None or key != known:  # a shadow may plan for other floors meanwhile
            plan = FloorPlan(self.network, floors)
            self._plan = key, plan
        return plan


def _capped(network: Network, limits: Limits) -> tuple[np.ndarray, np.ndarray]:
    """Row of the cap of each demand's tenant or -1, (demands,), and the caps in Gbit/s."""
    rows = {name: row for row, name in enumerate(limits.tenant_gbps)}
    of_demand = np.array([rows.get(tenant, -1) for tenant in network.demands.tenant], np.int64)
    return of_demand, np.array(list(limits.tenant_gbps.values()), np.float64)

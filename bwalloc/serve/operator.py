"""What an operator wants: the kill switch and overrides of tenants; it beats the policy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.limits import MOST_GBPS
from bwalloc.allocate.projection import Fixed
from bwalloc.errors import LimitsError, nearest
from bwalloc.serve.books.status import OverrideStatus

if TYPE_CHECKING:
    from datetime import datetime

    from bwalloc.network import Network
    from bwalloc.serve.clock import Clock


LONGEST_S = 366 * 86400.0
"""Longest time after which an override ends by itself."""


@dataclass(frozen=True)
class Override:
    """Rates of one tenant's demands; `gbps` as in `Supervisor.override`."""

    tenant: str
    gbps: float | Mapping[str, float] | None
    reason: str
    since: datetime
    until: datetime | None
    until_s: float
    """Monotonic seconds at which it ends; infinite where it does not."""

    @property
    def status(self) -> OverrideStatus:
        """As the status shows it: the sum, no demand's row."""
        gbps = self.gbps
        whole = math.fsum(gbps.values()) if isinstance(gbps, Mapping) else gbps
        return OverrideStatus(self.tenant, whole, self.reason, self.since, self.until)


@dataclass(frozen=True)
class Will:
    """What an operator wants now; replaced as a whole, so that a reader sees one moment."""

    killed: str | None = None
    overrides: tuple[Override, ...] = ()

    def at(self, now_s: float) -> Will:
        """Without the overrides that have ended."""
        left = tuple(each for each in self.overrides if each.until_s > now_s)
        return self if len(left) == len(self.overrides) else Will(self.killed, left)

    def with_override(self, override: Override) -> Will:
        """With an override, in the place of one of the same tenant."""
        return Will(self.killed, (*self.without(override.tenant).overrides, override))

    def without(self, tenant: str) -> Will:
        """Without the override of a tenant."""
        return Will(self.killed, tuple(o for o in self.overrides if o.tenant != tenant))

    def fixed(self, network: Network, static_gbps: np.ndarray) -> Fixed | None:
        """Which demands are overridden and what they get; None where nobody is.

        Args:
            network: whose demands; tenants it has not are passed over.
            static_gbps: what the static table gives each demand, (demands,).
        """
        if not self.overrides:
            return None
        tenant = np.array(network.demands.tenant)
        is_fixed, total = np.zeros(len(tenant), bool), np.zeros(len(tenant))
        for override in self.overrides:
            mine = tenant == override.tenant
            is_fixed |= mine
            total[mine] = _totals(override, network, mine, static_gbps)
        return Fixed(is_fixed, total) if is_fixed.any() else None


def override_of(
    tenant: str,
    gbps: float | Mapping[str, float] | None,
    reason: str,
    for_s: float | None,
    clock: Clock,
) -> Override:
    """An override that begins now; check it first."""
    now = clock.utc()
    if isinstance(gbps, Mapping):
        rates = {name: float(value) for name, value in gbps.items()}
    else:
        rates = None if gbps is None else float(gbps)
    if for_s is None:
        return Override(tenant, rates, reason, now, None, math.inf)
    until_s = clock.monotonic() + for_s
    return Override(tenant, rates, reason, now, now + timedelta(seconds=for_s), until_s)


def check_override(
    network: Network, tenant: str, gbps: float | Mapping[str, float] | None, for_s: float | None
) -> None:
    """Refuse an override that makes no sense.

    Raises:
        LimitsError: There is no such tenant, it has no such demand, or a number is out of range.
    """
    demands = network.demands
    if tenant not in demands.tenant:
        msg = f"No tenant '{tenant}' in network '{network.name}'. {nearest(tenant, demands.tenant)}"
        raise LimitsError(msg)
    rates = gbps if isinstance(gbps, Mapping) else {} if gbps is None else {tenant: gbps}
    if isinstance(gbps, Mapping):
        mine = [
            name
            for name, owner in zip(demands.name, demands.tenant, strict=True)
            if owner == tenant
        ]
        for name in gbps:
            if name not in mine:
                msg = f"Tenant '{tenant}' has no demand '{name}'. {nearest(name, mine)}"
                raise LimitsError(msg)
    for name, value in rates.items():
        if not 0 <= value <= MOST_GBPS:  # NaN too
            msg = f"Override of '{name}': got {value} Gbit/s, must be 0 to {MOST_GBPS:g}."
            raise LimitsError(msg)
    if for_s is not None and not 0 < for_s <= LONGEST_S:
        msg = (
            f"Override of '{tenant}': for_s is {for_s}, must be above 0 and at most {LONGEST_S:g}; "
            "None holds until it is released."
        )
        raise LimitsError(msg)


def _totals(
    override: Override, network: Network, mine: np.ndarray, static_gbps: np.ndarray
) -> np.ndarray:
    gbps = override.gbps
    if gbps is None:
        return static_gbps[mine]
    if isinstance(gbps, Mapping):  # a demand that is not named gets nothing
        names = np.array(network.demands.name, object)[mine]
        return np.array([gbps.get(name, 0.0) for name in names])
    parts = static_gbps[mine]
    whole = parts.sum()
    return gbps * (parts / whole if whole > 0 else np.full(len(parts), 1 / len(parts)))

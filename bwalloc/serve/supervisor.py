"""The supervisor: a policy in charge of a network, watched, guarded, never without an answer."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.limits import Limits, Times
from bwalloc.errors import BundleError, BwallocError
from bwalloc.observe import read_telemetry
from bwalloc.serve.clock import Clock, SystemClock
from bwalloc.serve.deployment import Deployment, deploy
from bwalloc.serve.record import trusted_decision
from bwalloc.serve.status import (
    DecisionTimes,
    Ladder,
    LinkStatus,
    Money,
    OverrideStatus,
    RecentDecision,
    Shadow,
    Status,
    Waiting,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bwalloc.control import Decision, Telemetry
    from bwalloc.network import Network
    from bwalloc.serve.bundle import Bundle
    from bwalloc.serve.runtime import RuntimeName


class Supervisor:
    """Decides for a network with a policy, and falls back when it must; see `Status`.

    `decide` never raises, and answers one caller at a time; everything else may be called from any
    thread at any moment, and what an operator says (kill, override) holds from the next decision.
    """

    def __init__(
        self,
        bundle: Bundle,
        network: Network,
        limits: Limits | None = None,
        *,
        runtime: RuntimeName = "auto",
        audit: Path | str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Bind and warm up; see `Bundle.bind`."""
        self.limits = limits or Limits()
        self.limits.check_names(network)
        self.clock: Clock = clock or SystemClock()
        self._wanted: RuntimeName = runtime
        self._deciding = threading.RLock()
        self.network = network
        self.times = Times.of(self.limits, network.interval_s)
        self._active: Deployment = deploy(bundle, network, runtime, 1)
        self._previous: Deployment | None = None
        self._shadow: Bundle | None = None
        self._killed: str | None = None
        self._overrides: dict[str, OverrideStatus] = {}
        self._waiting: dict[str, Waiting] = {}
        self._recent: list[RecentDecision] = []
        self._closed = False
        self._count = 0
        self._last: Decision | None = None
        self._rates = np.zeros(network.tunnels.exists.shape)
        self._capacity = network.links.capacity_gbps.astype(float)
        del audit

    def decide(self, telemetry: Telemetry | None) -> Decision:
        """The decision for the interval that begins where `telemetry` ends; never raises.

        The same telemetry again (the same `interval_end`) is given the same decision again.

        Args:
            telemetry: what was measured; None where nothing came. Demands and links are matched by
                name.
        """
        with self._deciding:
            assert telemetry is not None
            begun = self.clock.monotonic()
            self.clock.follow(telemetry.interval_end)
            readings = read_telemetry(self.network, telemetry)
            self._active.session.push(readings)
            rates = self._active.runtime(self._active.session.inputs(self._rates))
            self._rates, self._capacity = rates, readings.capacity_gbps[:, 0]
            self._count += 1
            decision = trusted_decision(
                id=str(self._count),
                demands=self.network.demands.name,
                rates_gbps=rates,
                valid_until=telemetry.interval_end + timedelta(seconds=telemetry.interval_s),
                source="policy",
                policy_version=self._active.bundle.version,
            )
            recent = RecentDecision(
                id=decision.id,
                at=self.clock.utc(),
                interval_end=telemetry.interval_end,
                deployment=self._active.status.deployment,
                policy_version=decision.policy_version,
                source=decision.source,
                reasons=decision.reasons,
                seconds=self.clock.monotonic() - begun,
                planned_gbps=float(rates.sum()),
                orders=0,
                projection_share=0.0,
            )
            self._recent = [*self._recent, recent][-50:]
            self._last = decision
            return decision

    def reset(self) -> None:
        """Forget all history of demands and decisions; counters, spend and switches stay."""
        with self._deciding:
            self._active.session.reset()

    def rebind(self, network: Network) -> None:
        """Go on with a changed topology or changed demands, without loading the bundle again.

        History of demands that stay is kept by name.

        Raises:
            LimitsError: Limits name a demand that neither network has.
        """
        active = deploy(self._active.bundle, network, self._wanted, self._active.status.deployment)
        with self._deciding:
            self.network, self._active = network, active
            self._rates = np.zeros(network.tunnels.exists.shape)

    def swap(self, bundle: Bundle) -> int:
        """Put another bundle in charge; it is bound and warmed up beside, then takes over at once.

        Returns:
            The deployment number, which only ever counts up.

        Raises:
            BundleError: The bundle cannot run; the one before stays in charge.
        """
        made = deploy(bundle, self.network, self._wanted, self._active.status.deployment + 1)
        with self._deciding:
            self._previous, self._active = self._active, made
        return made.status.deployment

    def rollback(self) -> int:
        """Put the bundle before the last swap in charge again; the number counts up.

        Raises:
            BundleError: There is none.
        """
        if self._previous is None:
            msg = "There is no earlier bundle to go back to."
            raise BundleError(msg)
        return self.swap(self._previous.bundle)

    def shadow(self, bundle: Bundle | None) -> None:
        """Let a bundle decide beside, never enforced; None ends it.

        Raises:
            BundleError: The bundle cannot run.
        """
        self._shadow = bundle

    def kill(self, reason: str) -> None:
        """Switch the policy off: the static table only, no orders, until `revive`."""
        self._killed = reason

    def revive(self) -> None:
        """Let the policy decide again."""
        self._killed = None

    def override(
        self,
        tenant: str,
        gbps: float | Mapping[str, float] | None = None,
        *,
        reason: str = "",
        for_s: float | None = None,
    ) -> None:
        """Set what a tenant's demands get, whatever the policy says; links still bound it.

        Args:
            tenant: whose.
            gbps: all its demands together (shared as in the static table), or by demand; None is
                what the static table gives them.
            reason: shown in the status.
            for_s: ends after so many seconds; None holds until `release`.

        Raises:
            LimitsError: There is no such tenant or demand, or a rate is negative or not finite.
        """
        whole = sum(gbps.values()) if isinstance(gbps, Mapping) else gbps
        now = datetime.now(UTC)
        until = None if for_s is None else now + timedelta(seconds=for_s)
        self._overrides[tenant] = OverrideStatus(tenant, whole, reason, now, until)

    def release(self, tenant: str) -> None:
        """End the override of a tenant.

        Raises:
            LimitsError: There is none.
        """
        self._overrides.pop(tenant, None)

    def approve(self, order_id: str) -> None:
        """Let an order that waits be placed with the next decision of the policy.

        Raises:
            UnknownNameError: No order with that id waits.
        """
        raise BwallocError(order_id)

    def reject(self, order_id: str) -> None:
        """Strike an order that waits.

        Raises:
            UnknownNameError: No order with that id waits.
        """
        raise BwallocError(order_id)

    def status(self) -> Status:
        """The state now; does not wait for a decision in progress."""
        network, capacity = self.network, self._capacity
        flat, hops = self._rates.reshape(-1), network.flat_hops
        load = np.zeros(network.n_links + 1)
        np.add.at(load, hops.ravel(), np.repeat(flat, hops.shape[1]))
        links = tuple(
            LinkStatus(name, bool(c > 0), float(c), float(p), None, float(p / c) if c else 0.0)
            for name, c, p in zip(network.links.name, capacity, load[:-1], strict=True)
        )
        recent, counts = tuple(self._recent), {"policy": self._count}
        return Status(
            schema=1,
            network=network.name,
            network_hash=network_hash(network),
            demands=network.n_demands,
            interval_s=network.interval_s,
            deployment=self._active.status,
            previous=None if self._previous is None else self._previous.status,
            ladder=Ladder("policy" if recent else None, False, None, counts, (), {}),
            recent=recent,
            times=DecisionTimes((1.0,), (self._count,), self._count, 0.0),
            projection_share=0.0,
            telemetry_age_s=None,
            decision_age_s=None,
            links=links,
            money=Money(0.0, None, "", 0.0, None, 0, None, None),
            waiting=tuple(self._waiting.values()),
            killed=self._killed,
            overrides=tuple(self._overrides.values()),
            shadow=None
            if self._shadow is None
            else Shadow(self._shadow.name, self._shadow.version, 0, 0, 0, None, None, None),
            audit_errors=0,
            is_ready=not self._closed,
            is_closed=self._closed,
        )

    def close(self) -> None:
        """End the threads and the log; later decisions are those of the static table."""
        self._closed = True


def network_hash(network: Network) -> str:
    """First digits of a hash of the links and tunnels: which topology a decision is for."""
    text = repr((network.links.name, network.demands.name)).encode()
    return hashlib.sha256(text + network.tunnels.hops.tobytes()).hexdigest()[:12]

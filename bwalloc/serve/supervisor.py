"""The supervisor: a policy in charge of a network, watched, guarded, never without an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.limits import Limits
from bwalloc.errors import BundleError, LimitsError, nearest
from bwalloc.serve.binding import Binding
from bwalloc.serve.books.chronicle import Chronicle
from bwalloc.serve.books.report import report
from bwalloc.serve.clock import Clock, SystemClock
from bwalloc.serve.core import Core
from bwalloc.serve.deciding import decide
from bwalloc.serve.operator import Will, check_override, override_of
from bwalloc.serve.orders.spend import SpendGuard
from bwalloc.serve.policy.deployment import Deployment, deploy
from bwalloc.serve.policy.shadow import ShadowRun

if TYPE_CHECKING:
    from pathlib import Path

    from bwalloc.control import Decision, Telemetry
    from bwalloc.network import Network
    from bwalloc.observe import UsualDay
    from bwalloc.serve.books.status import Status
    from bwalloc.serve.bundles.bundle import Bundle
    from bwalloc.serve.policy.runtime import RuntimeName
    from bwalloc.serve.policy.worker import Worker

LONGEST_REASON = 1000
"""Characters: each line of the audit log repeats why the kill switch is on."""
MOST_STUCK = 4
"""Policies that may hang in threads of their own; with more, no further bundle takes over."""


class Supervisor:
    """Decides for a network with a policy, and falls back when it must; see `Status`.

    `decide` never raises, and answers one caller at a time; everything else may be called from any
    thread at any moment. What an operator says (kill, override) holds for decisions in progress.
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
        usual: UsualDay | None = None,
    ) -> None:
        """Bind and warm up; see `Bundle.bind`."""
        limits, clock = limits or Limits(), clock or SystemClock()
        limits.check_names(network)
        self._runtime: RuntimeName = runtime
        self._usual = usual
        self._changing = threading.RLock()
        self._retired: list[Worker] = []
        binding = Binding(network, limits, clock)
        spend, chronicle = SpendGuard(binding.prices, limits, binding.times), Chronicle(audit)
        left, killed, number = chronicle.left(), None, 1
        if left is not None:
            killed, number = left.killed, left.deployment + 1
            spend.restore(left, binding.receiver.freshness.now(), clock.monotonic())
        self._core = Core(
            limits=limits,
            clock=clock,
            binding=binding,
            active=deploy(bundle, network, runtime, number, usual),
            spend=spend,
            chronicle=chronicle,
            number=number,
            will=Will(killed),
            begun=f"{int(clock.utc().timestamp()):x}.{number}",
        )
        self._core.log("start", network=network.name, bundle=bundle.name, version=bundle.version)

    @property
    def network(self) -> Network:
        """What it is bound to."""
        return self._core.binding.network

    @property
    def limits(self) -> Limits:
        """What every decision is held to."""
        return self._core.limits

    @property
    def static_gbps(self) -> np.ndarray:
        """The table that needs no telemetry, on links as built; (demands, tunnels)."""
        binding = self._core.binding
        built = np.asarray(binding.network.links.capacity_gbps, np.float64)
        return binding.guard.hold(binding.static_gbps, built, None, None).rates_gbps

    def decide(self, telemetry: Telemetry | None) -> Decision:
        """The decision for the interval that begins where `telemetry` ends; never raises.

        The same telemetry again (the same `interval_end` and capacities) is given the same decision
        again, unless an operator spoke in between.

        Args:
            telemetry: what was measured; None where nothing came. Demands and links are matched by
                name, see `Loads` and `Capacities` for those that are unknown or missing.
        """
        with self._core.deciding:
            return decide(self._core, telemetry)

    def reset(self) -> None:
        """Forget all history of demands and decisions; counters, spend and switches stay."""
        with self._core.deciding:
            self._core.binding.reset()
            self._core.active.session.reset()

    def rebind(self, network: Network) -> None:
        """Go on with a changed topology or changed demands, without loading the bundle again.

        History of demands that stay is kept by name, as are rates of those whose tunnels cross the
        links they did. Where the length of an interval changes, all history is forgotten. Limits of
        demands that are gone lie idle.

        Raises:
            TopologyError: A demand has no tunnel; the network before stays.
        """
        core = self._core
        with self._changing:
            binding = Binding(network, core.limits, core.clock)
            active = self._deployed(core.active, network)
            previous = None if core.previous is None else self._deployed(core.previous, network)
            shadow = (
                None if core.shadow is None else self._deployed(core.shadow.deployment, network)
            )
            with core.deciding:
                if network.interval_s == core.binding.network.interval_s:
                    rows = binding.inherit(core.binding)
                    active.session.inherit(core.active.session, rows)
                with core.state:
                    core.spend.rebind(binding.prices, binding.times)
                core.binding, core.active, core.previous = binding, active, previous
                core.shadow = None if shadow is None else ShadowRun(shadow, binding.guard)
            core.log("rebind", network=network.name, network_hash=binding.hash)

    def swap(self, bundle: Bundle) -> int:
        """Put another bundle in charge; it is bound and warmed up beside, then takes over at once.

        Returns:
            The deployment number, which only ever counts up.

        Raises:
            BundleError: The bundle cannot run, or too many earlier ones hang in their threads; the
                one before stays in charge.
        """
        with self._changing:
            number = self._take_over(lambda: self._made(bundle))
            self._core.log("swap", bundle=bundle.name, version=bundle.version)
        return number

    def rollback(self) -> int:
        """Put the bundle before the last swap in charge again; the number counts up.

        Returns:
            The deployment number.

        Raises:
            BundleError: There is none.
        """
        with self._changing:
            previous = self._core.previous
            if previous is None:
                msg = "There is no earlier bundle to go back to; swap one in."
                raise BundleError(msg)
            number = self._take_over(lambda: previous)
            bundle = previous.bundle
            self._core.log("rollback", bundle=bundle.name, version=bundle.version)
        return number

    def shadow(self, bundle: Bundle | None) -> None:
        """Let a bundle decide beside, never enforced; None ends it.

        Raises:
            BundleError: The bundle cannot run.
        """
        core = self._core
        with self._changing:
            made = None if bundle is None else self._made(bundle)
            self._retire(None if core.shadow is None else core.shadow.deployment)
            core.shadow = None if made is None else ShadowRun(made, core.binding.guard)
            name = None if bundle is None else bundle.name
            core.log("shadow", bundle=name, version=None if bundle is None else bundle.version)

    def kill(self, reason: str) -> None:
        """Switch the policy off: the static table only, no orders, until `revive`.

        A new process that finds this in its audit log keeps the switch on. Of the reason the first
        `LONGEST_REASON` characters are kept.
        """
        reason = reason[:LONGEST_REASON] or "no reason given"
        self._say(lambda will: replace(will, killed=reason))
        self._core.log("kill", reason=reason)

    def revive(self) -> None:
        """Let the policy decide again."""
        self._say(lambda will: replace(will, killed=None))
        self._core.log("revive")

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
            tenant: whose; an override before this one ends.
            gbps: all its demands together (shared as in the static table), or by demand, those not
                named getting nothing; None is what the static table gives them.
            reason: shown in the status.
            for_s: ends after so many seconds; None holds until `release`.

        Raises:
            LimitsError: There is no such tenant or demand, or a rate is negative or not finite.
        """
        check_override(self.network, tenant, gbps, for_s)
        reason = reason[:LONGEST_REASON]
        said = override_of(tenant, gbps, reason, for_s, self._core.clock)
        self._say(lambda will: will.with_override(said))
        self._core.log("override", tenant=tenant, gbps=said.status.gbps, reason=reason)

    def release(self, tenant: str) -> None:
        """End the override of a tenant.

        Raises:
            LimitsError: There is none.
        """
        known = [override.tenant for override in self._core.will.overrides]
        if tenant not in known:
            msg = f"No override of tenant '{tenant}'. {nearest(tenant, known)}"
            raise LimitsError(msg)
        self._say(lambda will: will.without(tenant))
        self._core.log("release", tenant=tenant)

    def approve(self, order_id: str) -> None:
        """Let an order that waits be placed with the next decision of the policy.

        It is held to the caps once more then.

        Raises:
            UnknownNameError: No order with that id waits.
        """
        with self._core.state:
            order = self._core.spend.approvals.approve(order_id)
        self._core.log("approve", order=order_id, span=order.span, tier_gbps=order.tier_gbps)

    def reject(self, order_id: str) -> None:
        """Strike an order that waits.

        Raises:
            UnknownNameError: No order with that id waits.
        """
        core = self._core
        with core.state:
            order = core.spend.approvals.reject(order_id, core.clock.monotonic())
        core.log("reject", order=order_id, span=order.span, tier_gbps=order.tier_gbps)

    def status(self) -> Status:
        """The state now; does not wait for a decision in progress."""
        return report(self._core)

    def __enter__(self) -> Supervisor:
        """Itself; it is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the threads and the log; later decisions are those of the static table."""
        core = self._core
        with self._changing:
            if core.is_closed:
                return
            core.log("close")
            with core.state:
                core.is_closed = True
            self._retire(core.active)
            self._retire(None if core.shadow is None else core.shadow.deployment)
            core.shadow = None
            core.chronicle.close()

    def _say(self, change: Callable[[Will], Will]) -> None:
        """Replace what the operator wants."""
        with self._core.state:
            self._core.will = change(self._core.will)

    def _made(self, bundle: Bundle) -> Deployment:
        """A bundle bound to the network of now; its number is given when it takes over."""
        self._retired = [worker for worker in self._retired if worker.is_busy]
        if len(self._retired) >= MOST_STUCK:
            msg = (
                f"{len(self._retired)} earlier policies still hang in their threads; "
                "no further bundle is started. Restart the process."
            )
            raise BundleError(msg)
        return deploy(bundle, self.network, self._runtime, self._core.number, self._usual)

    def _deployed(self, deployment: Deployment, network: Network) -> Deployment:
        """The same deployment on another network, in the same thread."""
        number = deployment.status.deployment
        made = deploy(deployment.bundle, network, self._runtime, number, self._usual)
        return replace(made, worker=deployment.worker)

    def _take_over(self, make: Callable[[], Deployment]) -> int:
        core = self._core
        made = make()
        with core.deciding:
            everybody = np.arange(self.network.n_demands)
            made.session.inherit(core.active.session, everybody)
            core.number += 1
            numbered = replace(made.status, deployment=core.number)
            core.previous, core.active = core.active, replace(made, status=numbered)
        self._retire(core.previous)
        return core.number

    def _retire(self, deployment: Deployment | None) -> None:
        """Let a deployment's thread end once it is free; a later job begins a new one."""
        if deployment is not None:
            deployment.worker.close()
            self._retired = [worker for worker in self._retired if worker.is_busy]
            self._retired.append(deployment.worker)

"""A classical allocator behind the protocol of `control`: telemetry in, decision out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.catalogue import CLASSICAL, ORDERING, make_rule
from bwalloc.allocate.limits import Limits, violations
from bwalloc.allocate.projection import Projection
from bwalloc.allocate.rule import orders_of
from bwalloc.control import Decision, Order, Telemetry
from bwalloc.errors import InfeasibleError, unknown_name
from bwalloc.observe import History, measured, read_telemetry
from bwalloc.scenario import load_scenario, train_worlds

if TYPE_CHECKING:
    from bwalloc.allocate.rule import Rule
    from bwalloc.network import Network
    from bwalloc.scenario import Scenario


@dataclass(frozen=True, slots=True)
class ClassicalAllocator:
    """A named rule with its record of the train split and its tuned constants."""

    name: str
    history: History
    tuned: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Any])

    def bind(self, network: Network, limits: Limits | None = None) -> RuleSession:
        """A session for `network`.

        Args:
            network: what it decides for.
            limits: what its rates are held to; None limits nothing but capacity.

        Raises:
            LimitsError: The limits are about demands that the network does not have.
        """
        rule = make_rule(self.name, network, self.history, self.tuned)
        return RuleSession(self.name, network, rule, limits=limits)


class RuleSession:
    """One running rule; it owns the window of history."""

    def __init__(
        self,
        name: str,
        network: Network,
        rule: Rule,
        policy_version: str = "classical",
        limits: Limits | None = None,
    ) -> None:
        """Start with no history; decisions carry `name` and `policy_version`."""
        self.name, self.network, self.rule = name, network, rule
        self.policy_version = policy_version
        self.projection: Projection | None = None
        if limits is not None:
            limits.check_names(network)
            self.projection = Projection(network, limits)
        self.decisions = 0
        self._rates: np.ndarray | None = None
        self.reset()

    def reset(self) -> None:
        """Forget all history."""
        self.rule.reset(1)
        self.decisions, self._rates = 0, None

    def decide(self, telemetry: Telemetry) -> Decision:
        """Feasible rates for the interval that begins where `telemetry` ends.

        Raises:
            TelemetryError: a demand or link of the network is missing.
            InfeasibleError: the rule broke a limit; never seen, checked every time.
        """
        readings = read_telemetry(self.network, telemetry)
        rates = self.rule.decide(readings)
        if self.projection is not None:
            capacity = readings.capacity_gbps[:, 0].astype(np.float64)
            self._rates = self.projection(rates[:, :, 0], capacity, self._rates).rates_gbps
            rates = self._rates[:, :, None]
        if violations(self.network, rates, readings.capacity_gbps)[0]:
            msg = f"'{self.name}' decided rates that do not fit the links it was told of."
            raise InfeasibleError(msg)
        self.decisions += 1
        orders = named_orders(self.network, orders_of(self.rule, readings))
        return Decision(
            id=f"{self.name}-{self.decisions}",
            demands=self.network.demands.name,
            rates_gbps=rates[:, :, 0],
            valid_until=telemetry.interval_end + timedelta(seconds=telemetry.interval_s),
            source=self.name,
            policy_version=self.policy_version,
            orders=orders,
        )


def named_orders(network: Network, places: np.ndarray | None) -> tuple[Order, ...]:
    """Orders as a decision says them, of places in the menus of `network.offers` (offered, 1)."""
    if places is None or network.offers is None:
        return ()
    offers = network.offers
    return tuple(
        Order(network.spans.name[offers.span[row]], float(offers.tier_gbps[row, place]))
        for row, place in enumerate(places[:, 0])
        if place >= 0
    )


def make_allocator(name: str, scenario: Scenario | str) -> ClassicalAllocator:
    """A classical allocator with the record and the tuned constants of a scenario.

    Args:
        name: a name of `bwalloc.allocate.CLASSICAL` or `ORDERING`.
        scenario: a scenario, or the name of an environment.

    Raises:
        UnknownNameError: there is no such allocator or environment.
    """
    known = (*CLASSICAL, *ORDERING)
    if name not in known:
        raise unknown_name(
            kind="allocator", name=name, known=known, remedy="See docs, 'Allocators'."
        )
    built = load_scenario(scenario) if isinstance(scenario, str) else scenario
    history = measured(train_worlds(built), built.timing.interval_s)
    return ClassicalAllocator(name, history, built.tuned)

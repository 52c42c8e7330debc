"""A classical allocator behind the protocol of `control`: telemetry in, decision out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bwalloc.allocate.catalogue import CLASSICAL, make_rule
from bwalloc.allocate.limits import violations
from bwalloc.control import Decision, Telemetry
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

    def bind(self, network: Network) -> RuleSession:
        """A session for `network`; it knows no limits but its capacities."""
        return RuleSession(
            self.name, network, make_rule(self.name, network, self.history, self.tuned)
        )


class RuleSession:
    """One running rule; it owns the window of history."""

    def __init__(
        self, name: str, network: Network, rule: Rule, policy_version: str = "classical"
    ) -> None:
        """Start with no history; decisions carry `name` and `policy_version`."""
        self.name, self.network, self.rule = name, network, rule
        self.policy_version = policy_version
        self.decisions = 0
        self.reset()

    def reset(self) -> None:
        """Forget all history."""
        self.rule.reset(1)
        self.decisions = 0

    def decide(self, telemetry: Telemetry) -> Decision:
        """Feasible rates for the interval that begins where `telemetry` ends.

        Raises:
            TelemetryError: a demand or link of the network is missing.
            InfeasibleError: the rule broke a limit; never seen, checked every time.
        """
        readings = read_telemetry(self.network, telemetry)
        rates = self.rule.decide(readings)
        if violations(self.network, rates, readings.capacity_gbps)[0]:
            msg = f"'{self.name}' decided rates that do not fit the links it was told of."
            raise InfeasibleError(msg)
        self.decisions += 1
        return Decision(
            id=f"{self.name}-{self.decisions}",
            demands=self.network.demands.name,
            rates_gbps=rates[:, :, 0],
            valid_until=telemetry.interval_end + timedelta(seconds=telemetry.interval_s),
            source=self.name,
            policy_version=self.policy_version,
        )


def make_allocator(name: str, scenario: Scenario | str) -> ClassicalAllocator:
    """A classical allocator with the record and the tuned constants of a scenario.

    Args:
        name: a name of `bwalloc.allocate.CLASSICAL`.
        scenario: a scenario, or the name of an environment.

    Raises:
        UnknownNameError: there is no such allocator or environment.
    """
    if name not in CLASSICAL:
        raise unknown_name(
            kind="allocator", name=name, known=CLASSICAL, remedy="See docs, 'Allocators'."
        )
    built = load_scenario(scenario) if isinstance(scenario, str) else scenario
    history = measured(train_worlds(built), built.timing.interval_s)
    return ClassicalAllocator(name, history, built.tuned)

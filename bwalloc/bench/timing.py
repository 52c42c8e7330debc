"""How long a decision takes, and a task."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate import orders_of
from bwalloc.sim import Episodes, Simulator

if TYPE_CHECKING:
    from bwalloc.allocate import Rule
    from bwalloc.scenario import Scenario, World


def decide_ms(
    scenario: Scenario, rule: Rule, world: World, decisions: int = 40
) -> dict[str, float]:
    """Median and 99th percentile of a decision for one network, orders included, milliseconds."""
    simulator, episodes = Simulator(scenario), Episodes([world])
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    rule.reset(1)
    spent: list[float] = []
    for _ in range(min(decisions, scenario.timing.intervals)):
        begin = time.perf_counter()
        rates = rule.decide(readings)
        orders = orders_of(rule, readings)
        spent.append(1e3 * (time.perf_counter() - begin))
        step = simulator.step(state, rates, episodes, orders)
        state, readings = step.state, step.readings
    warm = spent[len(spent) // 4 :]
    return {"p50": float(np.median(warm)), "p99": float(np.quantile(warm, 0.99))}


@dataclass(frozen=True, slots=True)
class Timed:
    """A task of `run_tasks` that also tells how many seconds it took where it ran."""

    task: Callable[..., Any]

    def __call__(self, setting: Any, argument: Any) -> tuple[Any, float]:
        """What the task returns, and seconds by the clock."""
        begin = time.perf_counter()
        found = self.task(setting, argument)
        return found, time.perf_counter() - begin

"""How long one decision takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.sim import Episodes, Simulator

if TYPE_CHECKING:
    from bwalloc.allocate import Rule
    from bwalloc.scenario import Scenario, World


def decide_ms(
    scenario: Scenario, rule: Rule, world: World, decisions: int = 40
) -> dict[str, float]:
    """Median and 99th percentile of `rule.decide` for one network, in milliseconds."""
    simulator, episodes = Simulator(scenario), Episodes([world])
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    rule.reset(1)
    spent: list[float] = []
    for _ in range(min(decisions, scenario.timing.intervals)):
        begin = time.perf_counter()
        rates = rule.decide(readings)
        spent.append(1e3 * (time.perf_counter() - begin))
        step = simulator.step(state, rates, episodes)
        state, readings = step.state, step.readings
    warm = spent[len(spent) // 4 :]
    return {"p50": float(np.median(warm)), "p99": float(np.quantile(warm, 0.99))}

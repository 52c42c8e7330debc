"""The pieces of a comparison, each able to run in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.bench.timing import decide_ms
from bwalloc.observe import History, measured
from bwalloc.scenario import (
    draw_world,
    load_scenario,
    train_worlds,
    with_trace,
)
from bwalloc.sim.play import Played, play

if TYPE_CHECKING:
    from bwalloc.allocate.clairvoyant import Plan
    from bwalloc.scenario import Scenario, World


@dataclass(frozen=True)
class Setting:
    """Which episodes of which environment; small and picklable."""

    env: str
    split: str = "test"
    episodes: int = 12
    seed: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    traces: Mapping[str, str] = field(default_factory=dict[str, str])
    envs: Path | None = None

    @property
    def seeds(self) -> list[int]:
        """The seed of each episode."""
        return list(range(self.seed, self.seed + self.episodes))

    def key(self) -> str:
        """What identifies the scenario, for caching inside one process."""
        return repr(
            (self.env, sorted(self.overrides.items()), sorted(self.traces.items()), self.envs)
        )


_SCENARIOS: dict[str, Scenario] = {}


def scenario_of(setting: Setting) -> Scenario:
    """Load the scenario of a setting once per process."""
    if setting.key() not in _SCENARIOS:
        scenario = load_scenario(setting.env, overrides=setting.overrides, envs=setting.envs)
        for traffic_class, path in setting.traces.items():
            scenario = with_trace(scenario, traffic_class, Path(path))
        _SCENARIOS[setting.key()] = scenario
    return _SCENARIOS[setting.key()]


def worlds_of(setting: Setting) -> list[World]:
    """Draw the episodes of a setting."""
    scenario = scenario_of(setting)
    return [draw_world(scenario, setting.split, seed) for seed in setting.seeds]


@lru_cache(maxsize=4)
def _history(key: str) -> History:
    scenario = _SCENARIOS[key]
    return measured(train_worlds(scenario), scenario.timing.interval_s)


def history_of(setting: Setting) -> History:
    """The record of the train split."""
    scenario_of(setting)
    return _history(setting.key())


def run_allocator(setting: Setting, name: str) -> tuple[Played, dict[str, float]]:
    """Play one allocator over all episodes; also its time per decision (none for references)."""
    scenario, worlds = scenario_of(setting), worlds_of(setting)
    if name == "borrow-ideal":
        free = borrowing_everywhere(scenario)
        rule = make_rule("static", free.network, history_of(setting), scenario.tuned)
        return play(free, rule, worlds), {}
    rule = make_rule(name, scenario.network, history_of(setting), scenario.tuned)
    played = play(scenario, rule, worlds)
    return played, decide_ms(scenario, rule, worlds[0])


def run_plan(setting: Setting, seed: int) -> Plan:
    """Plan one episode with its future known, and prove its bound."""
    from bwalloc.allocate.plan_cache import cached_plan  # highspy takes 0.3 s to import

    return cached_plan(scenario_of(setting), setting.split, seed)


def run_clairvoyant(setting: Setting, plans: Sequence[Plan]) -> Played:
    """Execute the plans of all episodes in the simulator."""
    from bwalloc.allocate.clairvoyant import ClairvoyantRule

    return play(scenario_of(setting), ClairvoyantRule(plans), worlds_of(setting))


def borrowing_everywhere(scenario: Scenario) -> Scenario:
    """The scenario as if every link were owned and lent what guarantees leave unused."""
    links = scenario.network.links
    owned = replace(links, is_work_conserving=np.ones_like(links.is_work_conserving))
    topology = replace(scenario.network.topology, links=owned)
    return replace(scenario, network=replace(scenario.network, topology=topology))

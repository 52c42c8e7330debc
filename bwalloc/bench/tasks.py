"""The pieces of a comparison, each able to run in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.bench.players import make_player
from bwalloc.bench.timing import decide_ms
from bwalloc.observe import History, measured
from bwalloc.scenario import draw_world, load_template, train_worlds, with_trace
from bwalloc.sim.play import Played, joined, play

if TYPE_CHECKING:
    from bwalloc.allocate import Rule
    from bwalloc.allocate.plan.clairvoyant import Plan
    from bwalloc.scenario import Scenario, Template, World

BORROWING = "borrow-ideal"


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
    columns: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def seeds(self) -> list[int]:
        """The seed of each episode."""
        return list(range(self.seed, self.seed + self.episodes))

    def key(self) -> str:
        """What identifies the scenario, for caching inside one process."""
        tables = (self.overrides, self.traces, self.columns)
        return repr((self.env, self.envs, *(sorted(table.items()) for table in tables)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Episodes that play on one network, and so side by side."""

    scenario: Scenario
    seeds: list[int]
    worlds: list[World]


_TEMPLATES: dict[str, Template] = {}
_TRACED: dict[tuple[str, str], Scenario] = {}
_HISTORIES: dict[tuple[str, int, int], History] = {}
KEPT = 16
"""Environments, and scenarios with traces, kept at a time in one process."""
KEPT_BYTES = 128 << 20
"""Records of the train split kept at a time in one process; that of metro-inference has 10 MiB."""


def template_of(setting: Setting) -> Template:
    """Read the environment of a setting once per process."""
    if setting.key() not in _TEMPLATES:
        template = load_template(setting.env, overrides=setting.overrides, envs=setting.envs)
        if len(_TEMPLATES) >= KEPT:
            _forget_oldest(_TEMPLATES)
        _TEMPLATES[setting.key()] = template
    return _TEMPLATES[setting.key()]


def forget(setting: Setting) -> None:
    """Let the files of a setting be read again: they may have been edited."""
    _TEMPLATES.pop(setting.key(), None)
    for key in [key for key in _TRACED if key[0] == setting.key()]:
        del _TRACED[key]


def scenario_of(setting: Setting, seed: int | None = None) -> Scenario:
    """The scenario of an episode; without `seed`, the one that stands for the environment."""
    template = template_of(setting)
    untraced = template.usual if seed is None else template.scenario(setting.split, seed)
    if not setting.traces:
        return untraced
    key = (setting.key(), untraced.digest)
    if key not in _TRACED:
        scenario = untraced
        for traffic_class, path in setting.traces.items():
            scenario = with_trace(scenario, traffic_class, Path(path), setting.columns)
        if len(_TRACED) >= KEPT:
            _forget_oldest(_TRACED)
        _TRACED[key] = scenario
    return _TRACED[key]


def batches_of(setting: Setting) -> Iterator[Batch]:
    """All episodes together where they share a network; one by one where each draws its own."""
    seeds = setting.seeds
    groups = [[seed] for seed in seeds] if template_of(setting).is_drawn else [seeds]
    for group in groups:
        scenario = scenario_of(setting, group[0])
        worlds = [draw_world(scenario, setting.split, seed) for seed in group]
        yield Batch(scenario, group, worlds)


def history_of(scenario: Scenario) -> History:
    """The record of the train split."""
    key = (scenario.digest, scenario.workload.entropy, scenario.record_episodes)
    if key not in _HISTORIES:
        record = measured(train_worlds(scenario), scenario.timing.interval_s)
        _HISTORIES[key] = record
        while len(_HISTORIES) > 1 and sum(map(_bytes_of, _HISTORIES.values())) > KEPT_BYTES:
            _forget_oldest(_HISTORIES)
    return _HISTORIES[key]


def _bytes_of(record: History) -> int:
    return record.log.load_gbps.nbytes


def _forget_oldest(kept: dict[Any, Any]) -> None:
    kept.pop(next(iter(kept)))


def run_allocator(setting: Setting, name: str) -> tuple[Played, dict[str, float]]:
    """Play one allocator over all episodes; also its time per decision (none for references)."""
    spent: dict[str, float] = {}
    parts: list[Played] = []
    for batch in batches_of(setting):
        rule = rule_of(batch.scenario, name)
        played_on = borrowing_everywhere(batch.scenario) if name == BORROWING else batch.scenario
        parts.append(play(played_on, rule, batch.worlds))
        if not spent and name != BORROWING:
            spent = decide_ms(batch.scenario, rule, batch.worlds[0])
    return joined(parts), spent


def rule_of(scenario: Scenario, name: str) -> Rule:
    """An allocator of a comparison, with its record and its tuned constants."""
    if name == BORROWING:
        free = borrowing_everywhere(scenario)
        return make_rule("static", free.network, history_of(scenario), scenario.tuned)
    return make_player(name, scenario, lambda: history_of(scenario))


def run_plan(setting: Setting, seed: int) -> Plan:
    """Plan one episode with its future known, and prove its bound."""
    from bwalloc.allocate.plan.cache import cached_plan  # highspy takes 0.3 s to import

    return cached_plan(scenario_of(setting, seed), setting.split, seed)


def run_clairvoyant(setting: Setting, plans: Sequence[Plan]) -> Played:
    """Execute the plans of all episodes in the simulator."""
    from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule

    by_seed = dict(zip(setting.seeds, plans, strict=True))
    parts: list[Played] = []
    for batch in batches_of(setting):
        plans_of_batch = [by_seed[seed] for seed in batch.seeds]
        rule = ClairvoyantRule(plans_of_batch, batch.scenario.network)
        parts.append(play(batch.scenario, rule, batch.worlds))
    return joined(parts)


def borrowing_everywhere(scenario: Scenario) -> Scenario:
    """The scenario as if every link were owned and lent what guarantees leave unused."""
    links = scenario.network.links
    owned = replace(links, is_work_conserving=np.ones_like(links.is_work_conserving))
    topology = replace(scenario.network.topology, links=owned)
    return replace(scenario, network=replace(scenario.network, topology=topology))

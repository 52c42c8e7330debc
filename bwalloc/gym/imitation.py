"""Classical allocators as policies of the environment: the action nearest to what they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bwalloc.allocate import CLASSICAL, ORDERING, Ask, make_rule
from bwalloc.allocate.orders.rules import OrderingRule
from bwalloc.allocate.policy.correction import SPAN_PARTS, action_shape
from bwalloc.allocate.rule import DecodedRule
from bwalloc.errors import unknown_name
from bwalloc.observe import measured
from bwalloc.scenario import train_worlds
from bwalloc.sim.declared import Declarations

if TYPE_CHECKING:
    from bwalloc.allocate import Rule
    from bwalloc.gym.engine import Engine
    from bwalloc.observe import History, Readings
    from bwalloc.scenario import Scenario

BASE = "forecast"
"""The allocator that action 0 is."""
RANDOM = "random"
"""Actions drawn uniformly from [-1, 1]."""
MISSED = 1e-3
"""Relative error above which what an action reaches counts as clipped."""
DUST = 1e-9
"""A rate (Gbit/s), share or weight below this is what a solver left of none."""


class Aim(NamedTuple):
    """An ask and its base by part of the action: (demands,), `split` (demands x tunnels,)."""

    reserve: np.ndarray
    weight: np.ndarray
    leftover: np.ndarray
    split: np.ndarray


@dataclass
class Clipping:
    """How many numbers of the actions could not say what was asked, by part."""

    clipped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Aim._fields, 0))
    given: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Aim._fields, 0))

    def add(self, wanted: Ask, reached: Ask, exists: np.ndarray) -> None:
        """Count one decision; tunnels that do not exist are left out."""
        pairs = zip(_aim(wanted, exists), _aim(reached, exists), strict=True)
        for part, (want, got) in zip(Aim._fields, pairs, strict=True):
            missed = np.abs(got - want) > MISSED * np.maximum(np.abs(want), np.abs(got))
            self.clipped[part] += int(missed.sum())
            self.given[part] += missed.size

    def shares(self) -> dict[str, float]:
        """Share of numbers clipped, by part and of `all`."""
        shares = {part: n / max(self.given[part], 1) for part, n in self.clipped.items()}
        whole = sum(self.clipped.values()) / max(sum(self.given.values()), 1)
        return {"all": whole, **shares}


class Imitator:
    """Plays a classical allocator, or random actions, through the action of an environment."""

    def __init__(self, name: str) -> None:
        """Take the allocator's name.

        Raises:
            UnknownNameError: It is no classical allocator and not `random`.
        """
        known = (*CLASSICAL, *ORDERING, RANDOM)
        if name not in known:
            raise unknown_name(kind="allocator", name=name, known=known, remedy="Pick one.")
        self.name = name
        self.clipping = Clipping()
        self._rule: Rule | None = None
        self._histories: dict[str, History] = {}
        self._rng = np.random.default_rng(0)

    def begin(self, scenario: Scenario, seed: int) -> None:
        """Forget the episode before; random actions follow from the seed of the one to come."""
        self._rng = np.random.default_rng(seed)
        if self.name not in (BASE, RANDOM):
            self._rule = self.rule(scenario)
            self._rule.reset(1)

    def rule(self, scenario: Scenario) -> Rule:
        """The allocator itself, new."""
        if scenario.digest not in self._histories:
            worlds = train_worlds(scenario)
            record = measured(worlds, scenario.timing.interval_s)
            self._histories = {scenario.digest: record}  # the last network only
        history = self._histories[scenario.digest]
        return make_rule(self.name, scenario.network, history, scenario.tuned)

    def action(self, engine: Engine) -> np.ndarray:
        """The action for the coming interval of a batch of one; flat, float32, padded with 0."""
        sizes = engine.scenario.sizes
        whole = np.zeros(action_shape(sizes.demands, sizes.tunnels), np.float32)
        spans = np.zeros((sizes.spans, len(SPAN_PARTS)), np.float32)
        if self.name == RANDOM:
            return self._rng.uniform(-1.0, 1.0, whole.size + spans.size).astype(np.float32)
        rule = self._rule
        if rule is not None:
            network = engine.scenario.network
            rows, columns = action_shape(network.n_demands, network.n_tunnels)
            law = rule.base if isinstance(rule, OrderingRule) else rule
            whole[:rows, :columns] = self._corrections(engine, law)
        if isinstance(rule, OrderingRule):
            wanted = rule.order(engine.readings)
            spans[: len(wanted)] = engine.corrected.action_for_orders(wanted)[:, :, 0]
        return np.concatenate([whole.ravel(), spans.ravel()])

    def _corrections(self, engine: Engine, rule: Rule) -> np.ndarray:
        base, correction = engine.base, engine.corrected.correction
        told = Declarations(engine.scenario)(engine.state.queued_gbit, engine.state.interval)
        asked = asked_by(rule, replace(engine.readings, **told))
        wanted = scaled_to(base, asked, correction.scale)
        action = correction.action_for(base, wanted)
        exists = engine.scenario.network.tunnels.exists
        self.clipping.add(wanted, correction(base, action), exists)
        return action[:, :, 0]


def asked_by(rule: Rule, readings: Readings) -> Ask:
    """What a rule asks `decode` for; of a rule that decides rates, those rates as an ask."""
    if isinstance(rule, DecodedRule):
        rule.history.push(readings)
        return rule.asker.ask(rule.history, readings)
    rates = rule.decide(readings)
    want = rates.sum(1)
    return Ask(want, want, rates, want)


def scaled_to(base: Ask, ask: Ask, reach: Mapping[str, float]) -> Ask:
    """`ask` in the scale in which corrections of `base` reach it best.

    `decode` looks at ratios of weights, and of the shares of one demand: a common factor means
    next to nothing, and must not use up the reach of the action. Dust is out of reach in any scale,
    and sets none.
    """
    return Ask(
        ask.want_gbps,
        ask.weight * _factor(base.weight, ask.weight, reach["weight"], 0),
        ask.split * _factor(base.split, ask.split, reach["split"], 1),
        ask.spare_weight * _factor(base.spare_weight, ask.spare_weight, reach["leftover"], 0),
    )


def _factor(base: np.ndarray, ask: np.ndarray, reach: float, axis: int) -> np.ndarray:
    """The factor on `ask`, along an axis, that leaves the least beyond reach; nearest to 1.

    What is left, sum(max(|log(ask / base) + x| - reach, 0)), is convex in x and least between the
    two middle ones of its corners.
    """
    both = (base > 0) & (ask >= DUST)
    logs = np.log(np.where(both, base, 1) / np.where(both, ask, 1))
    corners = (np.where(both, logs - reach, -np.inf), np.where(both, logs + reach, np.inf))
    ordered = np.sort(np.concatenate(corners, axis), axis)
    low, high = (ordered.take([base.shape[axis] - 1 + side], axis) for side in (0, 1))
    return np.exp(np.clip(0.0, low, high)).astype(base.dtype)


def _aim(ask: Ask, exists: np.ndarray) -> Aim:
    return Aim(ask.want_gbps, ask.weight, ask.spare_weight, ask.split[exists])

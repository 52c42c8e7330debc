"""A teacher plays: the clairvoyant, or a classical allocator, through the action of a policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.allocate.orders.rules import NO_ORDER, OrderingRule
from bwalloc.allocate.policy.corrected import CorrectedForecast
from bwalloc.allocate.rule import orders_of
from bwalloc.gym.imitation import asked_by, scaled_to
from bwalloc.learn.cloning_orders import About, about_nothing, about_orders
from bwalloc.learn.cloning_pairs import Pairs, joined, pairs_of
from bwalloc.learn.recipe import CLAIRVOYANT
from bwalloc.money import net_usd
from bwalloc.observe import measured, usual_day
from bwalloc.scenario import draw_world, train_worlds
from bwalloc.sim import Episodes, Simulator

if TYPE_CHECKING:
    from bwalloc.allocate import Rule
    from bwalloc.scenario import Scenario, World

SPLIT = "train"
AT_ONCE = 4
"""Episodes played together; pairs come that many at a time."""


def taught(scenario: Scenario, name: str, seeds: Sequence[int], *, spans: bool) -> Iterator[Pairs]:
    """What a teacher does in training episodes, a few episodes at a time.

    Episodes are played by the actions themselves, as a policy that has learned them would: where
    an action does not reach what the teacher asks for, what follows is what such a policy meets.
    `spans` is as in `CorrectedForecast`.
    """
    for first in range(0, len(seeds), AT_ONCE):
        worlds = [draw_world(scenario, SPLIT, seed) for seed in seeds[first : first + AT_ONCE]]
        yield _Lesson(scenario, _rule(scenario, name, worlds), worlds, spans=spans).played()


def taught_on(
    draw: Callable[[int], Scenario], name: str, seeds: Sequence[int], *, spans: bool
) -> Iterator[tuple[Scenario, Pairs]]:
    """The same where each episode plays the network of its number, one at a time."""
    for seed in seeds:
        scenario = draw(seed)
        for pairs in taught(scenario, name, [seed], spans=spans):
            yield scenario, pairs


def _rule(scenario: Scenario, name: str, worlds: Sequence[World]) -> Rule:
    if name == CLAIRVOYANT:
        from bwalloc.allocate.plan.cache import plan_of  # highspy takes 0.3 s to import
        from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule

        return ClairvoyantRule([plan_of(scenario, world) for world in worlds], scenario.network)
    record = measured(train_worlds(scenario), scenario.timing.interval_s)
    return make_rule(name, scenario.network, record, scenario.tuned)


class _Lesson:
    """A batch of episodes under one teacher."""

    def __init__(
        self, scenario: Scenario, rule: Rule, worlds: Sequence[World], *, spans: bool
    ) -> None:
        self.scenario, self.rule = scenario, rule
        self.corrected = CorrectedForecast(
            scenario.network, scenario.tuned, compiled=None, usual=usual_day(scenario),
            spans=spans,
        )  # fmt: skip
        self.simulator, self.episodes = Simulator(scenario), Episodes(worlds)
        self.state = self.simulator.start(len(worlds))
        self.corrected.start(self.simulator.first_readings(self.state, self.episodes))
        rule.reset(len(worlds))
        self.planned = np.full(self.corrected.readings.tier_gbps.shape, NO_ORDER)

    def played(self) -> Pairs:
        """All moments."""
        return joined([self._moment() for _ in range(self.scenario.timing.intervals)])

    def _moment(self) -> Pairs:
        corrected, state, network = self.corrected, self.state, self.scenario.network
        features = corrected.features(state.rates_gbps)
        action = self._about_rates()
        about = self._about_orders()
        orders = corrected.orders(about.highest)
        rates = corrected.rates_gbps(action)
        step = self.simulator.step(state, rates, self.episodes, orders)
        counts = state.interval >= self.scenario.timing.warmup_intervals
        self.state = step.state
        corrected.push(step.readings)
        usd = np.where(counts, net_usd(step.terms), np.nan)
        return pairs_of(network, features, action, about, usd)

    def _about_rates(self) -> np.ndarray:
        base, correction = self.corrected.base, self.corrected.correction
        rule = self.rule.base if isinstance(self.rule, OrderingRule) else self.rule
        asked = asked_by(rule, self.corrected.readings)
        return correction.action_for(base, scaled_to(base, asked, correction.scale))

    def _about_orders(self) -> About:
        gated, outlook, wanted = self.corrected.gated, self.corrected.outlook, self._wanted()
        if gated is None or outlook is None:
            return about_nothing(wanted.shape[1])
        return about_orders(gated, outlook, wanted)

    def _wanted(self) -> np.ndarray:
        """Tiers the teacher orders; those of a plan until the next one, as the gate may be shut."""
        wanted = orders_of(self.rule, self.corrected.readings)
        if wanted is None or isinstance(self.rule, OrderingRule):
            return self.planned if wanted is None else wanted
        self.planned = np.where(wanted >= 0, wanted, self.planned)
        return self.planned

"""How good a policy is now: exact money on the validation split, beside the best classical rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.allocate.policy.learned import Learned, Policy
from bwalloc.observe import UsualDay, measured
from bwalloc.scenario import draw_world, train_worlds
from bwalloc.sim.play import play

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario

SPLIT = "validation"


@dataclass(frozen=True, slots=True)
class Score:
    """Money of a policy on the validation episodes, USD per hour; `gain` is paired by episode."""

    usd_per_h: float
    gain_usd_per_h: float
    gain_half_width: float


class Validation:
    """A fixed set of validation episodes, and what the rival earned on them.

    Args:
        scenario: the environment.
        episodes: how many, seeds 0 and up.
        rival: name of a classical allocator; by default that of the published comparison.
    """

    def __init__(self, scenario: Scenario, episodes: int, rival: str | None = None) -> None:
        """Draw the episodes and play the rival once."""
        self.scenario, self.rival = scenario, rival or scenario.rival
        self.worlds = [draw_world(scenario, SPLIT, seed) for seed in range(episodes)]
        history = measured(train_worlds(scenario), scenario.timing.interval_s)
        rule = make_rule(self.rival, scenario.network, history, scenario.tuned)
        self.usual = UsualDay(scenario.network.demands.name, history.hourly_gbps)
        self.rival_usd_per_h = self._usd_per_h(rule)

    def __call__(self, policy: Policy) -> Score:
        """Play the policy through all episodes."""
        money = self._usd_per_h(Learned(self.scenario.network, policy, self.usual))
        gain = money - self.rival_usd_per_h
        spread = gain.std(ddof=1) if len(gain) > 1 else 0.0
        half = 1.96 * float(spread) / np.sqrt(len(gain))
        return Score(float(money.mean()), float(gain.mean()), float(half))

    def _usd_per_h(self, rule: object) -> np.ndarray:
        played = play(self.scenario, rule, self.worlds)  # pyright: ignore[reportArgumentType]
        return played.net_usd / self.scenario.timing.counted_h

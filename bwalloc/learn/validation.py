"""How good a policy is now: exact money on the validation split, beside the best classical rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.allocate.policy.learned import Learned, Policy
from bwalloc.observe import UsualDay, measured
from bwalloc.scenario import draw_world, train_worlds
from bwalloc.sim.play import play

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario, Template, World

SPLIT = "validation"


@dataclass(frozen=True, slots=True)
class Score:
    """Money of a policy on the validation episodes, USD per hour; `gain` is paired by episode."""

    usd_per_h: float
    gain_usd_per_h: float
    gain_half_width: float


@dataclass(frozen=True, slots=True)
class Court:
    """One network of validation with its episodes, and what the rival earned on each, USD/h."""

    scenario: Scenario
    worlds: list[World]
    usual: UsualDay
    rival_usd_per_h: np.ndarray


class Validation:
    """A fixed set of validation episodes, and what the rival earned on them.

    Args:
        scenario: the environment.
        episodes: how many, seeds 0 and up.
        rival: name of a classical allocator; by default that of the published comparison.
    """

    def __init__(self, scenario: Scenario, episodes: int, rival: str | None = None) -> None:
        """Draw the episodes and play the rival once."""
        self.rival = rival or scenario.rival
        self.courts = [_court(scenario, range(episodes), self.rival)]

    @classmethod
    def of(
        cls,
        template: Template,
        episodes: int,
        rival: str | None = None,
        also: Sequence[Scenario] = (),
    ) -> Validation:
        """The same, on a network of its own for each episode where these are drawn.

        `also` are played too, each once and against its own rival; a score is the mean over all.
        """
        self = cls.__new__(cls)
        self.rival = rival or template.usual.rival
        if template.is_drawn:
            drawn = (template.scenario(SPLIT, seed) for seed in range(episodes))
            self.courts = [
                _court(each, range(seed, seed + 1), self.rival) for seed, each in enumerate(drawn)
            ]
        else:
            self.courts = [_court(template.usual, range(episodes), self.rival)]
        others = {each.slug: each for each in also}.values()
        self.courts += [_court(each, range(episodes), each.rival) for each in others]
        return self

    @property
    def rival_usd_per_h(self) -> np.ndarray:
        """What the rival earned in each episode."""
        return np.concatenate([court.rival_usd_per_h for court in self.courts])

    def __call__(self, policy: Policy) -> Score:
        """Play the policy through all episodes."""
        money = np.concatenate(list(self._played(policy)))
        gain = money - self.rival_usd_per_h
        spread = gain.std(ddof=1) if len(gain) > 1 else 0.0
        half = 1.96 * float(spread) / np.sqrt(len(gain))
        return Score(float(money.mean()), float(gain.mean()), float(half))

    def _played(self, policy: Policy) -> Iterator[np.ndarray]:
        for court in self.courts:
            rule = Learned(court.scenario.network, policy, court.usual)
            yield _usd_per_h(court.scenario, rule, court.worlds)


def _court(scenario: Scenario, seeds: range, rival: str) -> Court:
    worlds = [draw_world(scenario, SPLIT, seed) for seed in seeds]
    history = measured(train_worlds(scenario), scenario.timing.interval_s)
    rule = make_rule(rival, scenario.network, history, scenario.tuned)
    usual = UsualDay(scenario.network.demands.name, history.hourly_gbps)
    return Court(scenario, worlds, usual, _usd_per_h(scenario, rule, worlds))


def _usd_per_h(scenario: Scenario, rule: object, worlds: list[World]) -> np.ndarray:
    played = play(scenario, rule, worlds)  # pyright: ignore[reportArgumentType]
    return played.net_usd / scenario.timing.counted_h

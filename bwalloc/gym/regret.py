"""`RegretInfo`: what rule and bound would have earned in the episode that just ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.errors import BwallocError
from bwalloc.gym.env import CloudEdgeEnv
from bwalloc.gym.episodes import world_of
from bwalloc.money import net_usd
from bwalloc.observe import measured
from bwalloc.scenario import train_worlds
from bwalloc.sim.play import play

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario, World

LEGACY = "static-peak"


class RegretInfo(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Adds `info["regret"]` to the last step of an episode.

    `net_usd` (this episode), `rival_usd` (the best classical allocator), `legacy_usd`
    (`static-peak`), and with `bound` also `bound_usd` and `regret`
    = (bound - net) / (bound - legacy): 0 is the bound, 1 is legacy. Warm-up is not counted.

    Args:
        env: a `CloudEdgeEnv`, wrapped or not.
        rival: name of a classical allocator; by default that of the published comparison.
        bound: prove the bound of every episode: some seconds of LP each for metro-inference,
            nothing for the shipped test episodes.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], *, rival: str | None = None, bound: bool = True
    ) -> None:
        """Wrap `env`; raises if it is another environment."""
        super().__init__(env)
        if not isinstance(env.unwrapped, CloudEdgeEnv):
            msg = f"RegretInfo wraps CloudEdgeEnv, got {type(env.unwrapped).__name__}."
            raise BwallocError(msg)
        self.inner: CloudEdgeEnv = env.unwrapped
        self.rival, self.bound = rival or self.inner.scenario.rival, bound
        self.net_usd = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self.net_usd = 0.0
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Play one interval; the last one carries the regret."""
        observation, reward, terminated, truncated, info = super().step(action)
        scenario = self.inner.engine.scenario
        if info["interval"] > scenario.timing.warmup_intervals:
            self.net_usd += float(net_usd(info["reward_terms"]))
        if truncated:
            info["regret"] = self._regret(scenario)
        return observation, reward, terminated, truncated, info

    def _regret(self, scenario: Scenario) -> dict[str, Any]:
        choice = self.inner.choice
        assert choice is not None
        world = world_of(scenario, choice)
        rival, legacy = (self._earned(scenario, world, name) for name in (self.rival, LEGACY))
        regret: dict[str, Any] = {
            "rival": self.rival,
            "net_usd": self.net_usd,
            "rival_usd": rival,
            "legacy_usd": legacy,
        }
        if self.bound:
            bound = _bound_usd(scenario, world)
            regret |= {"bound_usd": bound, "regret": (bound - self.net_usd) / (bound - legacy)}
        return regret

    def _earned(self, scenario: Scenario, world: World, name: str) -> float:
        history = measured(train_worlds(scenario), scenario.timing.interval_s)
        rule = make_rule(name, scenario.network, history, scenario.tuned)
        return float(np.sum(play(scenario, rule, [world]).net_usd))


def _bound_usd(scenario: Scenario, world: World) -> float:
    from bwalloc.allocate.plan.cache import plan_of  # highspy takes 0.3 s to import

    return plan_of(scenario, world).bound_usd_per_h * scenario.timing.counted_h

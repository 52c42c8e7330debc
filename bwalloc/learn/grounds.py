"""The grounds that a policy trains on: one network, or networks drawn anew, visited in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bwalloc.allocate.policy.neural import Graph
from bwalloc.learn.unroll import Unroll

if TYPE_CHECKING:
    from bwalloc.learn.recipe import Recipe
    from bwalloc.scenario import Scenario

Draw = Callable[[int], "Scenario"]
"""The scenario of drawn network number `n` of the train split."""
EPISODES = 2
"""Worlds per column that a drawn network may use up: the first one, and what follows it."""


@dataclass
class Ground:
    """One network with a batch of episodes; `left` updates until another one takes its place."""

    scenario: Scenario
    unroll: Unroll
    graph: Graph
    left: int


class Grounds:
    """Where the next update is played.

    A network that was drawn stays for a part of an episode, and has episodes of its own: worlds of
    one number are alike on all networks of an environment.

    Args:
        scenario: the environment; where networks are drawn, what stands for them.
        recipe: batch, and how many networks are visited in turn.
        cut: intervals that a gradient reaches back.
        seed: number of the first episode, or of the first network that is drawn.
        first: the least `seed` of the run.
        device: of the tensors.
        draw: None stays on `scenario`.
    """

    def __init__(
        self,
        scenario: Scenario,
        recipe: Recipe,
        cut: int,
        *,
        seed: int,
        first: int,
        device: str,
        draw: Draw | None,
    ) -> None:
        """Begin on the first networks."""
        self.recipe, self.cut, self.device, self.draw = recipe, cut, device, draw
        self.first, self.next_network, self.turn = first, seed, 0
        if draw is None:
            self.grounds = [self._on(scenario, seed)]
        else:
            self.grounds = [self._drawn(draw) for _ in range(recipe.apg.networks)]

    @property
    def here(self) -> Ground:
        """The ground of the coming update."""
        return self.grounds[self.turn]

    @property
    def next_seed(self) -> int:
        """Number of the first episode, or network, that was not played yet."""
        return self.here.unroll.next_seed if self.draw is None else self.next_network

    def move_on(self) -> None:
        """Cut the gradients after an update, and go to the next ground."""
        here = self.here
        here.unroll.detach()
        here.left -= 1
        if self.draw is not None and here.left == 0:
            self.grounds[self.turn] = self._drawn(self.draw)
        self.turn = (self.turn + 1) % len(self.grounds)

    def _drawn(self, draw: Draw) -> Ground:
        number = self.next_network
        self.next_network += 1
        return self._on(
            draw(number), self.first + (number - self.first) * EPISODES * self.recipe.apg.batch
        )

    def _on(self, scenario: Scenario, seed: int) -> Ground:
        apg = self.recipe.apg
        unroll = Unroll(
            scenario, apg.batch, cut=self.cut, seed=seed, device=self.device,
            smooth_gbit=apg.smooth_gbit,
        )  # fmt: skip
        updates = max(1, round(apg.stay * scenario.timing.intervals / self.cut))
        return Ground(scenario, unroll, Graph.of(scenario.network), updates)

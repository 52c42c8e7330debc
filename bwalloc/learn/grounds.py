"""The grounds that a policy trains on: one network, or several, visited in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bwalloc.allocate.policy.neural import Graph
from bwalloc.learn.unroll import Unroll

if TYPE_CHECKING:
    from bwalloc.learn.recipe import Recipe
    from bwalloc.scenario import Scenario

T = TypeVar("T")
Draw = Callable[[int], "Scenario"]
"""The scenario of drawn network number `n` of the train split."""
EPISODES = 2
"""Worlds per column that a ground which is left may use up: the first one, and what follows it."""


class Cuts(NamedTuple):
    """Intervals that a gradient reaches back: for orders, and for rates alone.

    For each visit that learns orders, `between` others learn rates alone.
    """

    orders: int
    rates: int
    between: int = 0


class Visit(NamedTuple):
    """A place in the turn: whose network, and whether rates alone are learned there."""

    draw: Draw
    rates_only: bool


@dataclass
class Ground:
    """One network with a batch of episodes.

    Attributes:
        scenario: whose network and episodes.
        unroll: the episodes.
        graph: of the network.
        cut: intervals of an update.
        rates_only: gradients do not flow to orders.
        left: updates until another ground takes its place.
    """

    scenario: Scenario
    unroll: Unroll
    graph: Graph
    cut: int
    rates_only: bool
    left: int


class Grounds:
    """Where the next update is played.

    With one environment of one network it stays there. Otherwise a ground stays for a part of an
    episode, and has episodes of its own: worlds of one number are alike on all networks of an
    environment. Where nothing is sold, visits are as long as those that learn rates alone.

    Args:
        scenario: the environment; where networks are drawn, what stands for them.
        recipe: batch, and how many networks are visited in turn.
        cuts: how far gradients reach back.
        seed: number of the first episode, or of the first ground where these change.
        first: the least `seed` of the run.
        device: of the tensors.
        draw: draws the networks; None where `scenario` has one network.
        also: environments that are visited beside it.
    """

    def __init__(
        self,
        scenario: Scenario,
        recipe: Recipe,
        cuts: Cuts,
        *,
        seed: int,
        first: int,
        device: str,
        draw: Draw | None,
        also: Sequence[Scenario] = (),
    ) -> None:
        """Begin on the first grounds."""
        self.recipe, self.cuts, self.device = recipe, cuts, device
        self.sees_everything = recipe.architecture(scenario).spans
        self.first, self.next_number, self.turn = first, seed, 0
        self.visits: list[Visit] = []
        if draw is None and not also and not cuts.between:
            self.grounds = [self._on(scenario, seed, rates_only=False)]
        else:
            drawn = [draw] * recipe.apg.networks if draw else [_always(scenario)]
            draws = interleaved(drawn, [_always(each) for each in also])
            self.visits = interleaved(
                [Visit(each, False) for each in draws],
                [Visit(each, True) for each in draws * cuts.between],
            )
            self.grounds = [self._next_on(visit) for visit in self.visits]

    @property
    def here(self) -> Ground:
        """The ground of the coming update."""
        return self.grounds[self.turn]

    @property
    def next_seed(self) -> int:
        """Number of the first episode, or ground, that was not played yet."""
        return self.next_number if self.visits else self.here.unroll.next_seed

    def move_on(self) -> None:
        """Cut the gradients after an update, and go to the next ground."""
        here = self.here
        here.unroll.detach()
        here.left -= 1
        if self.visits and here.left == 0:
            self.grounds[self.turn] = self._next_on(self.visits[self.turn])
        self.turn = (self.turn + 1) % len(self.grounds)

    def _next_on(self, visit: Visit) -> Ground:
        number = self.next_number
        self.next_number += 1
        seed = self.first + (number - self.first) * EPISODES * self.recipe.apg.batch
        return self._on(visit.draw(number), seed, rates_only=visit.rates_only)

    def _on(self, scenario: Scenario, seed: int, *, rates_only: bool) -> Ground:
        apg = self.recipe.apg
        rates_only = rates_only or scenario.network.offers is None
        cut = self.cuts.rates if rates_only else self.cuts.orders
        unroll = Unroll(
            scenario, apg.batch, cut=cut, seed=seed, device=self.device,
            smooth_gbit=apg.smooth_gbit, sees_everything=self.sees_everything,
        )  # fmt: skip
        updates = max(1, round(apg.stay * scenario.timing.intervals / cut))
        return Ground(scenario, unroll, Graph.of(scenario.network), cut, rates_only, updates)


def _always(scenario: Scenario) -> Draw:
    return lambda number: scenario


def interleaved(some: Sequence[T], others: Sequence[T]) -> list[T]:
    """Both in one row, each evenly spread over it."""
    rows = [
        ((place + 0.5) / len(row), each) for row in (some, others) for place, each in enumerate(row)
    ]
    return [each for _, each in sorted(rows, key=lambda row: row[0])]

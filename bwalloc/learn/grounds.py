"""The grounds that a policy trains on: one network, or several, visited in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


class Piece(NamedTuple):
    """An update unrolls `cut` intervals, which its gradient reaches back, of `batch` episodes."""

    cut: int
    batch: int


class Pieces(NamedTuple):
    """Of visits that learn orders, and of those that learn rates alone.

    For each visit of the first kind, `between` are of the second.
    """

    orders: Piece
    rates: Piece
    between: int = 0


class Unseen(NamedTuple):
    """Numbers of the first episode and of the first drawn network that were not played yet."""

    episode: int
    network: int


class Place(NamedTuple):
    """A network, or, with `draw`, one drawn after another; `scenario` stands for these."""

    scenario: Scenario
    draw: Draw | None = None

    @property
    def sells(self) -> bool:
        """Whether capacity is ordered there."""
        return self.scenario.network.offers is not None


class Stop(NamedTuple):
    """Of the turn: which place is visited, and whether rates alone are learned there."""

    place: int
    rates_only: bool


@dataclass
class Ground:
    """One network with a batch of episodes.

    Attributes:
        scenario: whose network and episodes.
        unroll: the episodes.
        graph: of the network.
        cut, batch: intervals and episodes of an update.
        rates_only: gradients do not flow to orders.
        left: updates until another network takes its place, where networks are drawn.
    """

    scenario: Scenario
    unroll: Unroll
    graph: Graph
    cut: int
    batch: int
    rates_only: bool
    left: int


class Grounds:
    """Where the next update is played.

    A place that is visited several times in a turn has one ground for orders and one for rates,
    whose episodes go on from visit to visit; only a drawn network gives way to another, after a
    part of an episode. No episode is played twice: worlds of one number are alike on all networks
    of an environment. Where nothing is sold, visits are like those that learn rates alone.

    Args:
        scenario: the environment; where networks are drawn, what stands for them.
        recipe: how many networks are visited in turn, and for how long each.
        pieces: what an update unrolls.
        unseen: where to begin counting.
        device: of the tensors.
        draw: draws the networks; None where `scenario` has one network.
        also: environments that are visited beside it; twice, twice as often.
    """

    def __init__(
        self,
        scenario: Scenario,
        recipe: Recipe,
        pieces: Pieces,
        *,
        unseen: Unseen,
        device: str,
        draw: Draw | None,
        also: Sequence[Scenario] = (),
    ) -> None:
        """Begin on the first grounds."""
        self.recipe, self.pieces, self.device = recipe, pieces, device
        self.sees_everything = recipe.architecture(scenario).spans
        self.unseen, self.turn = unseen, 0
        own = [Place(scenario, draw)] * (recipe.apg.networks if draw else 1)
        beside = {each.slug: Place(each) for each in also}
        self.places = [*own, *beside.values()]
        others = [len(own) + list(beside).index(each.slug) for each in also]
        self.stops = turn_of(range(len(own)), others, self.places, pieces.between)
        self.grounds = {stop: self._on(stop) for stop in dict.fromkeys(self.stops)}

    @property
    def here(self) -> Ground:
        """The ground of the coming update."""
        return self.grounds[self.stops[self.turn]]

    def move_on(self) -> None:
        """Cut the gradients after an update, and go to the next ground."""
        here, stop = self.here, self.stops[self.turn]
        here.unroll.detach()
        here.left -= 1
        if self.places[stop.place].draw and here.left == 0:
            self.grounds[stop] = self._on(stop)
        self.turn = (self.turn + 1) % len(self.stops)

    def _on(self, stop: Stop) -> Ground:
        apg = self.recipe.apg
        scenario, draw = self.places[stop.place]
        if draw:
            scenario = draw(self.unseen.network)
            self.unseen = self.unseen._replace(network=self.unseen.network + 1)
        cut, batch = self.pieces.rates if stop.rates_only else self.pieces.orders
        unroll = Unroll(
            scenario, batch, cut=cut, seeds=self._seeds(), device=self.device,
            smooth_gbit=apg.smooth_gbit, sees_everything=self.sees_everything,
        )  # fmt: skip
        updates = max(1, round(apg.stay * scenario.timing.intervals / cut))
        graph = Graph.of(scenario.network)
        return Ground(scenario, unroll, graph, cut, batch, stop.rates_only, updates)

    def _seeds(self) -> Iterator[int]:
        while True:
            seed = self.unseen.episode
            self.unseen = self.unseen._replace(episode=seed + 1)
            yield seed


def turn_of(
    own: Sequence[int], others: Sequence[int], places: Sequence[Place], between: int
) -> list[Stop]:
    """The stops of a turn: all places, evenly spread, and `between` times as many for rates."""
    row = interleaved(own, others)
    return interleaved(
        [Stop(place, not places[place].sells) for place in row],
        [Stop(place, True) for place in row * between],
    )


def interleaved(some: Sequence[T], others: Sequence[T]) -> list[T]:
    """Both in one row, each evenly spread over it."""
    rows = [
        ((place + 0.5) / len(row), each) for row in (some, others) for place, each in enumerate(row)
    ]
    return [each for _, each in sorted(rows, key=lambda row: row[0])]

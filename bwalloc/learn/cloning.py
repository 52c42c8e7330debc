"""Behaviour cloning: the network answers what a teacher would do, moment by moment.

A start for other algorithms rather than an end: nothing here looks at money. Ref: Pomerleau (1991).
The tier that is held nearly equals the label of an order, and a network that sees it may copy the
past (de Haan et al., Causal Confusion in Imitation Learning, NeurIPS 2019): so it can be hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from bwalloc.allocate.policy.neural import Graph
from bwalloc.learn.apg import cosine, first_seed
from bwalloc.learn.checkpoint import arrays_to_modules, modules_to_arrays
from bwalloc.learn.cloning_dataset import recorded
from bwalloc.learn.cloning_pairs import Pairs, joined
from bwalloc.learn.cloning_teacher import taught, taught_on
from bwalloc.learn.network import PolicyNetwork
from bwalloc.observe.feature import SPAN_FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.learn.grounds import Draw
    from bwalloc.learn.recipe import Recipe
    from bwalloc.scenario import Scenario

HELD = ("tier", "paid", "pending", "coming", "age")
"""Features of spans that tell the tier that is held, or what was ordered before.

The load over the tier stays: hidden too, clones on enterprise-naas earned 2 $/h less.
"""
SHOWN = np.array([[feature.name not in HELD] for feature in SPAN_FEATURES], np.float32)
"""0 for the features of `HELD`, (features, 1)."""


class Lesson(NamedTuple):
    """Pairs of one network."""

    graph: Graph
    pairs: Pairs


class CloningTrainer:
    """One policy, its optimiser, and the pairs it learns from.

    The error is squared, over the numbers of an action that change something; about a span it is
    the distance to what orders the same tier. Pairs are not kept in a checkpoint: a run that goes
    on gathers the same ones anew.
    """

    def __init__(
        self,
        scenario: Scenario,
        recipe: Recipe,
        *,
        device: str = "cpu",
        init: Mapping[str, np.ndarray] | None = None,
        draw: Draw | None = None,
    ) -> None:
        """Build network and optimiser from the recipe; read the dataset, if there is one.

        With `draw`, every episode is taught on the network of its number.

        Raises:
            RecipeError: The dataset cannot be read, or is of another environment.
        """
        self.recipe, self.scenario, self.device, self.draw = recipe, scenario, device, draw
        self.network = PolicyNetwork(recipe.architecture(scenario), recipe.seed).to(device)
        if init:
            self.network.load(init)
        self.hides = recipe.bc.hide_orders and scenario.sizes.spans > 0
        if self.hides:
            self._forget_orders()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), recipe.bc.learning_rate, weight_decay=recipe.bc.weight_decay
        )
        self.steps = 0
        self.loss: float | None = None
        self.lessons: list[Lesson] = []
        self.gathered, self.source = 0, self._source()

    @property
    def updates(self) -> int:
        """Updates so far."""
        return self.steps // self.recipe.bc.batch_size

    def update(self, progress: float) -> float:
        """One step of the optimiser, on pairs at random; the first ones gather pairs too.

        Args:
            progress: share of the run that is done, 0 to 1; the learning rate follows it.

        Returns:
            Money of a mean interval that the pairs earned, USD: what a perfect clone would.
        """
        bc = self.recipe.bc
        self._gather()
        share = bc.final_share + (1 - bc.final_share) * cosine(progress)
        for group in self.optimiser.param_groups:
            group["lr"] = bc.learning_rate * share
        drawn = np.random.default_rng([self.recipe.seed, self.updates])
        lesson = self.lessons[drawn.integers(0, len(self.lessons))]
        loss = self._error(lesson, drawn.integers(0, len(lesson.pairs), bc.batch_size))
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), bc.clip_norm)
        self.optimiser.step()
        self.loss = float(loss.detach())
        self.steps += bc.batch_size
        return float(np.mean([each.pairs.mean_usd for each in self.lessons]))

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the policy's weights."""
        return self.network.numpy()

    def tensors(self) -> dict[str, np.ndarray]:
        """Weights and moments of the policy."""
        return modules_to_arrays({"policy": self.network}, {"policy": self.optimiser})

    def resume(self, tensors: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on after `steps`, with the pairs that come next."""
        arrays_to_modules(tensors, {"policy": self.network}, {"policy": self.optimiser})
        self.steps = steps

    def _source(self) -> Iterator[tuple[Scenario, Pairs]]:
        bc, scenario = self.recipe.bc, self.scenario
        if bc.dataset:
            return iter([(scenario, recorded(scenario, bc.dataset, bc.episodes))])
        first = first_seed(self.recipe.seed)
        seeds, spans = range(first, first + bc.episodes), self.network.architecture.spans
        if self.draw is not None:
            return taught_on(self.draw, bc.teacher, seeds, spans=spans)
        pairs = taught(scenario, bc.teacher, seeds, spans=spans)
        return ((scenario, some) for some in pairs)

    def _gather(self) -> None:
        """What there is to learn from at this update: a bit more each time, while there is."""
        while self.gathered <= self.updates:
            more = next(self.source, None)
            if more is None:
                return
            scenario, pairs = more
            if self.lessons and self.draw is None:
                pairs = joined([self.lessons.pop().pairs, pairs])
            self.lessons.append(Lesson(Graph.of(scenario.network), pairs))
            self.gathered += 1

    def _error(self, lesson: Lesson, rows: np.ndarray) -> torch.Tensor:
        graph, pairs = lesson
        features = {kind: self._last(seen[rows]) for kind, seen in pairs.features.items()}
        if self.hides:
            features["spans"] = features["spans"] * self._last(SHOWN[None])
        action, about = self.network.both(features, graph)
        missed = action - self._last(pairs.action[rows])
        error = _mean(missed.square(), self._last(pairs.counts[rows]))
        if about is None:
            return error
        over = (about - self._last(pairs.highest[rows])).clip(min=0)
        under = (self._last(pairs.lowest[rows]) - about).clip(min=0)
        return error + _mean((over + under).square(), self._last(pairs.decides[rows]))

    def _last(self, values: np.ndarray) -> torch.Tensor:
        """The batch as the last axis, float32 on the device."""
        turned = np.ascontiguousarray(values.transpose(1, 2, 0), np.float32)
        return torch.as_tensor(turned, device=self.device)

    def _forget_orders(self) -> None:
        """No weight on what is hidden: at play, where it is there, the policy does not see it."""
        weight = self.network.weights["span.in.weight"]
        with torch.no_grad():
            weight[:, : len(SHOWN)] *= torch.as_tensor(SHOWN[:, 0], device=weight.device)


def _mean(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    return (values * counts).sum() / counts.sum().clip(min=1)

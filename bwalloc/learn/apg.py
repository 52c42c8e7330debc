"""Analytic policy gradient: the money of short unrolls, differentiated through the simulator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bwalloc.arrays import like
from bwalloc.errors import RecipeError
from bwalloc.learn.checkpoint import arrays_to_modules, modules_to_arrays
from bwalloc.learn.critic import Critic, td_lambda
from bwalloc.learn.grounds import Grounds, Piece, Pieces, Unseen
from bwalloc.learn.network import PolicyNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bwalloc.learn.grounds import Draw
    from bwalloc.learn.recipe import Recipe
    from bwalloc.learn.unroll import Unroll
    from bwalloc.scenario import Scenario

CRITIC_RATE = 1e-3
"""Learning rate of the critic."""
RATES, ORDERS = "rates", "orders"
EVEN_OVER = 0.95
"""How much of the running size of gradients stays at an update of their kind."""
SMALLEST = 1e-6
"""A gradient is taken for no smaller than that when it is brought to the size of its kind."""
SIZES = "sizes/"
"""In a checkpoint, running sizes of gradients, by their kind."""
UNSEEN = ("episodes/next", "networks/next")
"""In a checkpoint, numbers of what was not played yet."""


class Stage(NamedTuple):
    """Where a run is: what updates unroll, share of this part done, what is learned."""

    pieces: Pieces
    progress: float
    orders: bool


class Size(NamedTuple):
    """Of the gradients of one kind: running sums of squared norms and of their weights."""

    squares: float = 0.0
    weights: float = 0.0

    @property
    def norm(self) -> float:
        """Root of the running mean square."""
        return math.sqrt(self.squares / self.weights)

    def after(self, norm: float) -> Size:
        """The size after one more gradient."""
        return Size(EVEN_OVER * self.squares + norm**2, EVEN_OVER * self.weights + 1.0)


class ApgTrainer:
    """One policy, its optimiser, and the episodes it learns from.

    Every update unrolls `cut` intervals, adds at the cut a share of the value of work still queued
    (and, with a critic, what comes after), and ascends the gradient of the mean money.
    Features are taken as given: the gradient goes through queues and decoder, not through what the
    policy reads.
    """

    def __init__(
        self,
        scenario: Scenario,
        recipe: Recipe,
        *,
        device: str = "cpu",
        init: Mapping[str, np.ndarray] | None = None,
        draw: Draw | None = None,
        also: Sequence[Scenario] = (),
    ) -> None:
        """Build network, optimiser and episodes from the recipe; `draw`, `also` as in `Grounds`.

        Raises:
            RecipeError: Unrolls would be longer than an episode.
        """
        self.sells = any(each.network.offers is not None for each in (scenario, *also))
        for each in (scenario, *also):
            _check_cuts(each, recipe, sells=self.sells)
        architecture = recipe.architecture(scenario)
        self.recipe, self.scenario = recipe, scenario
        self.network = PolicyNetwork(architecture, recipe.seed).to(device)
        if init:
            self.network.load(init)
        average = get_ema_multi_avg_fn(recipe.apg.average)
        self.averaged = AveragedModel(self.network, multi_avg_fn=average)
        self.critic = (
            Critic(architecture, recipe.seed + 1).to(device) if recipe.apg.critic else None
        )
        self.optimiser = torch.optim.Adam(self.network.parameters(), recipe.apg.learning_rate)
        taught = self.critic.parameters() if self.critic else [torch.zeros(0)]
        self.critic_optimiser = torch.optim.Adam(taught, CRITIC_RATE)
        self.device, self.steps, self.skipped = device, 0, 0
        self.sizes: dict[str, Size] = {}
        self.draw, self.also = draw, also
        self.pieces = self._stage(0.0).pieces
        self.unseen = Unseen(first_seed(recipe.seed), first_seed(recipe.seed))
        self._grounds: Grounds | None = None

    @property
    def grounds(self) -> Grounds:
        """Where the coming update is played; built when it is asked for."""
        if self._grounds is None:
            self._grounds = Grounds(
                self.scenario, self.recipe, self.pieces, unseen=self.unseen,
                device=self.device, draw=self.draw, also=self.also,
            )  # fmt: skip
        return self._grounds

    @property
    def unroll(self) -> Unroll:
        """The episodes of the coming update."""
        return self.grounds.here.unroll

    @property
    def steps_per_update(self) -> int:
        """Intervals of single episodes that the coming update plays."""
        return self.grounds.here.batch * self.grounds.here.cut

    def update(self, progress: float) -> float:
        """One unroll and one step of the optimiser.

        Args:
            progress: share of the run that is done, 0 to 1; the learning rate follows it.

        Returns:
            Money of a mean interval of the recipe's environment, USD.
        """
        apg, stage = self.recipe.apg, self._stage(progress)
        if stage.pieces != self.pieces:
            self._leave(stage.pieces)
        self._set_rate(apg.final_share + (1 - apg.final_share) * cosine(stage.progress))
        money, seen = self._play(orders=stage.orders)
        objective = torch.stack(money).mean() + self._at_the_cut() / len(money)
        if self.critic:
            objective = objective + self._expected(self.critic) / len(money)
        self.optimiser.zero_grad()
        here = self.grounds.here
        loss = -objective / here.scenario.reward_scale_usd
        loss.backward(inputs=list(self.network.parameters()))
        learned = RATES if here.rates_only or not stage.orders else ORDERS
        if self._shrink(f"{here.scenario.slug}/{learned}"):
            self.optimiser.step()
            self.averaged.update_parameters(self.network)
        else:
            self.skipped += 1
        if self.critic:
            self._teach(self.critic, money, seen)
        self.steps += self.steps_per_update
        intervals = self.scenario.timing.interval_s / here.scenario.timing.interval_s
        self.grounds.move_on()
        return float(torch.stack(money).mean().detach()) * intervals

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the policy's weights, averaged over the last updates."""
        policy: Any = self.averaged.module
        return policy.numpy()

    def tensors(self) -> dict[str, np.ndarray]:
        """Weights and moments of policy and critic, and which episodes are used up."""
        saved = modules_to_arrays(self._modules(), {"policy": self.optimiser})
        saved |= {name: np.array(row) for name, row in zip(UNSEEN, self._unseen(), strict=True)}
        saved |= {SIZES + kind: np.array(size) for kind, size in self.sizes.items()}
        if self.critic:
            saved |= modules_to_arrays({"critic": self.critic}, {"critic": self.critic_optimiser})
        return saved

    def resume(self, tensors: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on after `steps`, with episodes that were not played before."""
        arrays_to_modules(tensors, self._modules(), {"policy": self.optimiser})
        if self.critic:
            optimisers = {"critic": self.critic_optimiser}
            arrays_to_modules(tensors, {"critic": self.critic}, optimisers)
        sizes = {key.removeprefix(SIZES): tensors[key] for key in tensors if key.startswith(SIZES)}
        self.sizes = {kind: Size(*map(float, row)) for kind, row in sizes.items()}
        self.steps = steps
        self._grounds = None
        episode, network = UNSEEN  # older checkpoints count both in one
        first = tensors[episode]
        self.unseen = Unseen(int(first), int(tensors.get(network, first)))

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"policy": self.network, "averaged": self.averaged}

    def _stage(self, progress: float) -> Stage:
        apg = self.recipe.apg
        whole = Piece(apg.cut, apg.batch)
        if not self.sells:
            return Stage(Pieces(whole, whole), progress, orders=False)
        short = Piece(apg.rates_cut, apg.rates_batch or apg.batch)
        if progress < apg.rates_first:
            return Stage(Pieces(short, short), progress / apg.rates_first, orders=False)
        left = max(1.0 - apg.rates_first, 1e-9)
        pieces = Pieces(whole, short, apg.between)
        return Stage(pieces, (progress - apg.rates_first) / left, orders=True)

    def _unseen(self) -> Unseen:
        return self.unseen if self._grounds is None else self._grounds.unseen

    def _leave(self, pieces: Pieces) -> None:
        """Go on with other episodes, unrolled in other pieces."""
        self.unseen, self.pieces, self._grounds = self._unseen(), pieces, None

    def _play(self, *, orders: bool) -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
        money: list[torch.Tensor] = []
        seen: list[dict[str, torch.Tensor]] = []
        here = self.grounds.here
        unroll, graph = here.unroll, here.graph
        for _ in range(here.cut):
            features = {kind: rows.detach() for kind, rows in unroll.features().items()}
            seen.append(features)
            is_counted = unroll.is_counted
            action, about = self.network.both(features, graph)
            if about is not None and here.rates_only:
                about = about.detach()
            money.append(unroll.step(action, about if orders else None) * is_counted)
        return money, seen

    def _shrink(self, kind: str) -> bool:
        """Bring the gradient to size, evened and clipped; False where it is not finite."""
        apg = self.recipe.apg
        grads = [each.grad for each in self.network.parameters() if each.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        if not torch.isfinite(norm):
            return False
        if apg.even:
            self.sizes[kind] = size = self.sizes.get(kind, Size()).after(float(norm))
            for grad in grads:
                grad.div_(max(size.norm, SMALLEST))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), apg.clip_norm)
        return True

    def _at_the_cut(self) -> torch.Tensor:
        """What work still queued may yet be worth, USD of a mean episode."""
        queued = self.unroll.state.queued_gbit.sum(1)
        network = self.grounds.here.scenario.network
        value = like(network.law.whole_usd_per_gbit, queued)
        return self.recipe.apg.cut_value * (value[:, None] * queued).sum(0).mean()

    def _expected(self, critic: Critic) -> torch.Tensor:
        """What the critic expects after the cut, USD of a mean episode."""
        here = self.grounds.here
        after = critic(here.unroll.features(), here.graph).mean()
        return self.recipe.apg.discount * after * here.scenario.reward_scale_usd

    def _teach(
        self, critic: Critic, money: list[torch.Tensor], seen: list[dict[str, torch.Tensor]]
    ) -> None:
        """Fit the critic to the unroll that was played."""
        apg, here = self.recipe.apg, self.grounds.here
        scale = here.scenario.reward_scale_usd
        values = [critic(features, here.graph) for features in seen]
        with torch.no_grad():
            last = critic(here.unroll.features(), here.graph)
        rewards = [(each / scale).detach() for each in money]
        known = [value.detach() for value in values]
        targets = td_lambda(rewards, known, last, apg.discount, apg.trace)
        loss = (torch.stack(values) - torch.stack(targets)).square().mean()
        self.critic_optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(critic.parameters(), apg.clip_norm)
        self.critic_optimiser.step()

    def _set_rate(self, share: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.apg.learning_rate * share


def _check_cuts(scenario: Scenario, recipe: Recipe, *, sells: bool) -> None:
    apg, intervals = recipe.apg, scenario.timing.intervals
    is_sold = scenario.network.offers is not None
    has_visits_of_rates = apg.rates_first > 0 or apg.between > 0 or not is_sold
    used = {"cut": is_sold or not sells, "rates_cut": sells and has_visits_of_rates}
    for name, is_used in used.items():
        cut = getattr(apg, name)
        if is_used and cut > intervals:
            msg = f"apg.{name}: got {cut}, an episode of {scenario.slug} has {intervals}."
            raise RecipeError(msg)


def first_seed(run: int) -> int:
    """Number of the first training episode of a run; the record of an operator lies below."""
    return 2_000_000 + 1_000_000 * run


def cosine(progress: float) -> float:
    """1 at the start, 0 at the end, flat at both."""
    return 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))

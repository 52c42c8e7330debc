"""Training of the learned policy: the objective itself, differentiated through the routing.

No reward and no critic: the utilisation of the fullest link under the matrix that came, over the
least that was possible, is a function of the splits with a gradient almost everywhere.
Ref: Perry et al. (DOTE), NSDI 2023. The kept weights are running means (Polyak & Juditsky 1992),
chosen on the validation split.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from bwalloc.allocate.policy.neural import Architecture, Weights, layer_shapes
from bwalloc.bench.te.dataset import HISTORY
from bwalloc.bench.te.features import INPUTS
from bwalloc.bench.te.policy import CONSTANTS, SplitPolicy
from bwalloc.bench.te.windows import Windows, windows_of, with_varied
from bwalloc.learn.apg import cosine
from bwalloc.learn.network import drawn_layers, named_weights

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.bench.te.dataset import Dataset
    from bwalloc.bench.te.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Point:
    """One validation: mean normalised MLU of the last updates, and of the averaged weights.

    `cpu_s` are the seconds of this process alone, which other work on the machine does not stretch.
    """

    updates: int
    seconds: float
    cpu_s: float
    train: float
    validation: float


@dataclass(frozen=True, slots=True)
class Trained:
    """The kept policy, and how it came about."""

    policy: SplitPolicy
    points: tuple[Point, ...]

    @property
    def best(self) -> Point:
        """The validation whose weights were kept."""
        return min(self.points, key=lambda point: point.validation)


Listener = Callable[[float, "Point | None"], None]
"""Hears the share of the run that is done, and of validations."""


def train_splits(
    dataset: Dataset,
    least: Float[np.ndarray, " times"],
    settings: TrainSettings,
    minutes: float | None = None,
    listener: Listener | None = None,
) -> Trained:
    """Train on the split `train`, keep the best on `validation`; `test` is not touched.

    Args:
        dataset: matrices and network.
        least: least MLU of each matrix, what the MLU is divided by.
        settings: everything else.
        minutes: stop after so many minutes, if that is sooner; the learning rate follows.
        listener: hears of every update.
    """
    begin, begin_cpu = time.monotonic(), time.process_time()
    trainer = SplitTrainer(dataset, least, settings)
    validation = windows_of(dataset, least, dataset.splits["validation"])
    limit_s = np.inf if minutes is None else 60 * minutes
    points: list[Point] = []
    best, recent = trainer.averaged(), deque[float](maxlen=settings.validate_every)
    progress = 0.0
    while progress < 1.0:
        recent.append(trainer.update(progress))
        seconds = time.monotonic() - begin
        progress = min(max(trainer.updates / settings.updates, seconds / limit_s), 1.0)
        point = None
        if trainer.updates % settings.validate_every == 0 or progress >= 1.0:
            weights = trainer.averaged()
            score = trainer.score(weights, validation)
            if not points or score < min(each.validation for each in points):
                best = weights
            train = float(np.mean(recent))
            point = Point(
                trainer.updates,
                time.monotonic() - begin,
                time.process_time() - begin_cpu,
                train,
                score,
            )
            points.append(point)
        if listener:
            listener(progress, point)
    arrays = {name: value.numpy().copy() for name, value in best.items()}
    return Trained(trainer.policy(arrays), tuple(points))


class SplitTrainer:
    """Weights, their running mean, the optimiser and the matrices it learns from."""

    def __init__(
        self, dataset: Dataset, least: Float[np.ndarray, " times"], settings: TrainSettings
    ) -> None:
        """Draw the weights."""
        self.network, self.settings, self.updates = dataset.network, settings, 0
        train = windows_of(dataset, least, dataset.splits["train"])
        self.windows = with_varied(
            self.network, train, settings.copies, settings.spread, settings.seed
        )
        self.generator = torch.Generator().manual_seed(settings.seed)
        shapes = layer_shapes(settings.architecture, INPUTS) if settings.architecture else {}
        self.layers = drawn_layers(shapes, settings.seed)
        self.base = torch.nn.Parameter(torch.zeros(self.network.exists.shape))
        self.groups = {
            id(self.base): settings.constants_rate,
            **{id(layer): settings.learning_rate for layer in self.layers.values()},
        }
        parameters = [{"params": [value]} for value in self.weights().values()]
        self.optimiser = torch.optim.Adam(parameters, settings.learning_rate)
        self.mean = {name: value.detach().clone() for name, value in self.weights().items()}

    def weights(self) -> dict[str, torch.Tensor]:
        """The weights as they are trained."""
        constants = {CONSTANTS: self.base} if self.settings.constants else {}
        return named_weights(self.layers) | constants

    def averaged(self) -> dict[str, torch.Tensor]:
        """A copy of the running mean of the weights."""
        return {name: value.clone() for name, value in self.mean.items()}

    def policy(self, weights: Weights) -> SplitPolicy:
        """The policy with these weights."""
        architecture = self.settings.architecture
        looks = self.settings.looks if architecture else 0
        return SplitPolicy(architecture or Architecture(), weights, looks)

    def update(self, progress: float) -> float:
        """One step on a batch of train matrices; their mean normalised MLU before it."""
        settings = self.settings
        share = settings.final_share + (1 - settings.final_share) * cosine(progress)
        for group in self.optimiser.param_groups:
            group["lr"] = self.groups[id(group["params"][0])] * share
        order = torch.randperm(len(self.windows), generator=self.generator)
        loss = self._normalised(self.weights(), self.windows, order[: settings.batch]).mean()
        self.optimiser.zero_grad()
        loss.backward()
        norm = loss.detach()
        if self.layers:
            norm = torch.nn.utils.clip_grad_norm_(self.layers.parameters(), settings.clip_norm)
        if torch.isfinite(norm):
            self.optimiser.step()
        self.updates += 1
        kept = min(settings.memory, self.updates / (self.updates + 10))
        for name, value in self.weights().items():
            self.mean[name].lerp_(value.detach(), 1 - kept)
        return float(loss.detach())

    @torch.no_grad()
    def score(self, weights: Weights, windows: Windows) -> float:
        """Mean normalised MLU of a policy with these weights."""
        return float(self._normalised(weights, windows, torch.arange(len(windows))).mean())

    def _normalised(self, weights: Weights, windows: Windows, rows: torch.Tensor) -> torch.Tensor:
        load = torch.as_tensor(windows.load_gbps[..., rows.numpy()])
        splits = self.policy(weights).decide(self.network, load[:HISTORY])
        least = torch.as_tensor(windows.least[rows.numpy()])
        return self.network.largest(splits, load[HISTORY:])[0] / least

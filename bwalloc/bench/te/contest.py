"""One run of the benchmark: rules, constants and the learned policy on the same matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bwalloc.bench.te.rivals import RIVALS
from bwalloc.bench.te.score import TARGETS, Score, Target, least_mlu, normalised_mlu, score_of
from bwalloc.bench.te.settings import CONSTANTS_ALONE, TrainSettings

if TYPE_CHECKING:
    import numpy as np

    from bwalloc.bench.te.dataset import Dataset
    from bwalloc.bench.te.policy import SplitPolicy

LEARNED = "network"
"""The row that the target is about: weights shared by all rows, nothing tied to a tunnel."""
CORRECTED = "network+constants"
"""The same network on constants per tunnel, trained together: it knows this topology only."""
CONSTANT = "constant"
"""One split for every matrix, tuned on the train split by the same training; no inputs."""

Tell = Callable[[str, float], None]
"""Hears what is being done and which share of it is done."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table.

    Attributes:
        name: of the rule or policy.
        kind: `classical` or `agent`.
        score: on the test split.
        values: normalised MLU of each test matrix.
        parameters: trained numbers; 0 for rules.
        seed: of the training, or None.
        validation: mean normalised MLU on the validation split, which chose the weights.
        updates: after which the kept weights stood.
        train_s: seconds of training.
        train_cpu_s: the same of this process alone.
    """

    name: str
    kind: str
    score: Score
    values: np.ndarray
    parameters: int = 0
    seed: int | None = None
    validation: float | None = None
    updates: int | None = None
    train_s: float | None = None
    train_cpu_s: float | None = None


@dataclass(frozen=True, slots=True)
class Contest:
    """All rows, and whether the target is met.

    Attributes:
        dataset: its name.
        entries: rows in the order they ran.
        target: what every `LEARNED` row has to reach, where the dataset has one.
        least: least MLU of each test matrix.
    """

    dataset: str
    entries: tuple[Entry, ...]
    target: Target | None
    least: np.ndarray

    @property
    def is_met(self) -> bool:
        """Whether every seed of the learned policy reaches the target."""
        learned = [entry for entry in self.entries if entry.name == LEARNED]
        return self.target is None or all(self.target.is_met(entry.score) for entry in learned)

    @property
    def winner(self) -> Entry:
        """The row with the lowest mean; a simple rule that wins is the winner."""
        return min(self.entries, key=lambda entry: entry.score.mean)


def run_contest(
    dataset: Dataset,
    settings: TrainSettings,
    seeds: tuple[int, ...] = (0,),
    *,
    minutes: float | None = None,
    corrected: bool = False,
    tell: Tell | None = None,
) -> Contest:
    """Play the rules, train the learned rows once per seed, and play them.

    Args:
        dataset: matrices and network.
        settings: of the training of the network; the seed is replaced.
        seeds: one training each.
        minutes: limit of each training.
        corrected: add the network on constants per tunnel.
        tell: hears of the progress.
    """
    say = tell or (lambda _what, _share: None)
    say("least MLU of every matrix", 0.0)
    least = least_mlu(dataset)
    entries: list[Entry] = []
    for name, make in RIVALS.items():
        say(name, 0.0)
        played = normalised_mlu(dataset, make(dataset.network), least)
        entries.append(Entry(name, "classical", score_of(played), played.values))
    learned = {CONSTANT: CONSTANTS_ALONE, LEARNED: settings}
    if corrected:
        learned[CORRECTED] = replace(settings, constants=True)
    entries += [
        _trained(dataset, least, name, replace(chosen, seed=seed), minutes, say)
        for name, chosen in learned.items()
        for seed in (seeds if name != CONSTANT else seeds[:1])
    ]
    target = TARGETS.get(dataset.name)
    return Contest(dataset.name, tuple(entries), target, least[dataset.splits["test"]])


def _trained(
    dataset: Dataset,
    least: np.ndarray,
    name: str,
    settings: TrainSettings,
    minutes: float | None,
    say: Tell,
) -> Entry:
    from bwalloc.bench.te.train import train_splits

    trained = train_splits(
        dataset,
        least,
        settings,
        minutes,
        lambda share, _: say(f"{name}, seed {settings.seed}", share),
    )
    policy: SplitPolicy = trained.policy
    played = normalised_mlu(dataset, lambda history: policy.decide(dataset.network, history), least)
    return Entry(
        name=name,
        kind="classical" if settings.architecture is None else "agent",
        score=score_of(played),
        values=played.values,
        parameters=sum(array.size for array in policy.weights.values()),
        seed=settings.seed,
        validation=trained.best.validation,
        updates=trained.best.updates,
        train_s=trained.points[-1].seconds,
        train_cpu_s=trained.points[-1].cpu_s,
    )

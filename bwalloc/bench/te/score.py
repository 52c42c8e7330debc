"""What a decider is worth: its MLU over the least possible one, and how long it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.bench.te.programme import SplitProgramme
from bwalloc.errors import DecisionError

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.bench.te.dataset import Dataset
    from bwalloc.bench.te.rivals import Decide

WARM_UP = 5
"""Decisions that are not timed: the first ones build models and fill caches."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a decider reached in each matrix of a split, and what each decision took.

    Attributes:
        values: MLU over the least possible.
        wall_ms: time of each decision on the clock.
        cpu_ms: time of this process alone, which other work on the machine does not stretch.
    """

    values: Float[np.ndarray, " targets"]
    wall_ms: Float[np.ndarray, " targets"]
    cpu_ms: Float[np.ndarray, " targets"]


@dataclass(frozen=True, slots=True)
class Score:
    """Normalised MLU over the matrices of a split: 1 is what foresight would reach.

    No interval stands here: consecutive matrices resemble each other, so they are no sample of
    independent ones. What differs from training to training is shown by several seeds.

    Attributes:
        mean, p50, p95, p99: arithmetic mean and quantiles over matrices.
        decide_ms: median and 99th percentile of one decision, and the median of its CPU time.
    """

    mean: float
    p50: float
    p95: float
    p99: float
    decide_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class Target:
    """What has to be reached."""

    mean: float
    p95: float

    def is_met(self, score: Score) -> bool:
        """Whether both figures are at or below the target's."""
        return score.mean <= self.mean and score.p95 <= self.p95


TARGETS = {"geant": Target(mean=1.017, p95=1.069)}
"""By dataset: FIGRET's figures (Liu et al., SIGCOMM 2024) with 938,090 parameters, measured."""


def least_mlu(dataset: Dataset) -> Float[np.ndarray, " times"]:
    """The least MLU of each matrix that is decided for, by a linear programme; 1 elsewhere."""
    programme = SplitProgramme(dataset.network)
    least = np.ones(len(dataset.load_gbps))
    for targets in dataset.splits.values():
        for row in targets:
            least[row] = programme.solve(dataset.load_gbps[row : row + 1])[1]
    return least


def normalised_mlu(
    dataset: Dataset, decide: Decide, least: Float[np.ndarray, " times"], split: str = "test"
) -> Played:
    """Play a decider through a split, one matrix at a time.

    Args:
        dataset: matrices and network.
        decide: sees the matrices before, never the one it decides for.
        least: of `least_mlu`.
        split: train, validation or test.

    Raises:
        DecisionError: the shares of a demand do not add up to 1, or are negative.
    """
    values: list[float] = []
    wall_ms: list[float] = []
    cpu_ms: list[float] = []
    for row in dataset.splits[split]:
        target = np.array([row])
        history = dataset.history(target)
        begin, begin_cpu = time.perf_counter(), time.process_time()
        splits = decide(history)
        wall_ms.append(1e3 * (time.perf_counter() - begin))
        cpu_ms.append(1e3 * (time.process_time() - begin_cpu))
        _check(splits, dataset)
        largest = dataset.network.largest(splits, dataset.coming(target))[0, 0]
        values.append(float(largest) / float(least[row]))
    return Played(np.array(values), np.array(wall_ms), np.array(cpu_ms))


def score_of(played: Played) -> Score:
    """The figures of what `normalised_mlu` gave."""
    p50, p95, p99 = (float(np.quantile(played.values, level)) for level in (0.5, 0.95, 0.99))
    timed = slice(min(WARM_UP, len(played.values) - 1), None)
    decide_ms = {
        "p50": float(np.median(played.wall_ms[timed])),
        "p99": float(np.quantile(played.wall_ms[timed], 0.99)),
        "cpu_p50": float(np.median(played.cpu_ms[timed])),
    }
    return Score(float(played.values.mean()), p50, p95, p99, decide_ms)


def _check(splits: np.ndarray, dataset: Dataset) -> None:
    wrong = abs(splits.sum(1) - 1) > 1e-4
    if not np.isfinite(splits).all() or wrong.any() or splits.min() < 0:
        msg = f"A split of the dataset '{dataset.name}' has shares that do not add up to 1."
        raise DecisionError(msg)
    if splits[~dataset.network.exists].any():
        msg = f"A split of the dataset '{dataset.name}' uses a tunnel that does not exist."
        raise DecisionError(msg)

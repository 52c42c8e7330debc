"""Rivals of the learned policy: rules that decide from the same matrices without training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bwalloc.bench.te.programme import SplitProgramme

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.bench.te.network import SplitNetwork

Decide: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""From the matrices seen, (history, demands, 1), to splits, (demands, tunnels, 1)."""


def uniform(network: SplitNetwork) -> Decide:
    """Every demand in equal parts over its tunnels."""
    splits = network.uniform()
    return lambda _: splits


def last_value_lp(network: SplitNetwork) -> Decide:
    """A best corner for the last matrix, solved from scratch: how the literature plays it."""
    return lambda history: SplitProgramme(network).solve(history[-1:, :, 0])[0]


def last_value_centre(network: SplitNetwork) -> Decide:
    """The centre of the best splits for the last matrix."""
    programme = SplitProgramme(network, centred=True)
    return lambda history: programme.solve(history[-1:, :, 0])[0]


def mean_centre(network: SplitNetwork) -> Decide:
    """The centre of the best splits for the mean of the matrices seen."""
    programme = SplitProgramme(network, centred=True)
    return lambda history: programme.solve(history.mean(0).T)[0]


def peak_centre(network: SplitNetwork) -> Decide:
    """The centre of the best splits for every demand at its largest of the matrices seen."""
    programme = SplitProgramme(network, centred=True)
    return lambda history: programme.solve(history.max(0).T)[0]


class HedgedCentre:
    """The centre of the best splits on average over the matrices seen, as scenarios of the next.

    Each scenario's MLU counts relative to the least that was possible in it, as in the score.
    """

    def __init__(self, network: SplitNetwork) -> None:
        """Build the programmes: one for the optimum of a matrix, one for all of them."""
        self.network, self.single = network, SplitProgramme(network)
        self.joint: SplitProgramme | None = None

    def __call__(
        self, history: Float[np.ndarray, "history demands one"]
    ) -> Float[np.ndarray, "demands tunnels one"]:
        """Splits for the next matrix."""
        load = history[:, :, 0]
        load = load[load.sum(1) > 0]
        if not len(load):
            return self.network.uniform()
        if self.joint is None or self.joint.scenarios != len(load):
            self.joint = SplitProgramme(self.network, len(load), centred=True)
        least = np.array([self.single.solve(each[None])[1] for each in load])
        return self.joint.solve(load, 1 / least / len(load))[0]


RIVALS: dict[str, Callable[[SplitNetwork], Decide]] = {
    "uniform": uniform,
    "last-value-lp": last_value_lp,
    "last-value-centre": last_value_centre,
    "mean-centre": mean_centre,
    "peak-centre": peak_centre,
    "hedged-centre": HedgedCentre,
}
"""Rules by name; `constant`, which is tuned on the train split, comes from `train`."""

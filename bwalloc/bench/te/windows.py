"""What training learns from: histories with the matrix that came, as they were and varied.

Varied: the level of every demand is multiplied by a factor of its own, the same before and in the
matrix that came. So other links become the fullest, and a policy that leans on the mix of one week
is taught otherwise. The least MLU of a varied matrix is solved anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.bench.te.dataset import HISTORY
from bwalloc.bench.te.programme import SplitProgramme

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.bench.te.dataset import Dataset
    from bwalloc.bench.te.network import SplitNetwork


@dataclass(frozen=True, slots=True)
class Windows:
    """Histories, the matrix after each, and its least MLU."""

    load_gbps: Float[np.ndarray, "steps demands windows"]
    least: Float[np.ndarray, " windows"]

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.least)


def windows_of(
    dataset: Dataset, least: Float[np.ndarray, " times"], targets: Int[np.ndarray, " targets"]
) -> Windows:
    """The windows before and at some targets."""
    load = np.concatenate([dataset.history(targets), dataset.coming(targets)])
    return Windows(load.astype(np.float32), least[targets].astype(np.float32))


def with_varied(
    network: SplitNetwork, windows: Windows, copies: int, spread: float, seed: int
) -> Windows:
    """The windows, and copies of each whose demands are multiplied by lognormal factors.

    Args:
        network: what is routed on.
        windows: as they were.
        copies: varied ones per window.
        spread: standard deviation of the logarithm of the factors.
        seed: of the factors.
    """
    rng, programme = np.random.default_rng(seed), SplitProgramme(network)
    load, least = [windows.load_gbps], [windows.least]
    for _ in range(copies):
        factors = rng.lognormal(0.0, spread, windows.load_gbps.shape[1:])
        varied = windows.load_gbps * factors.astype(np.float32)
        load.append(varied)
        solved = [programme.solve(varied[HISTORY:, :, row])[1] for row in range(len(windows))]
        least.append(np.array(solved, np.float32))
    return Windows(np.concatenate(load, 2), np.concatenate(least))

"""What a rate is worth to a pair of sites, if the scenarios are all that may happen.

Demands of one pair that may use the same tunnels borrow from each other, so a scenario fills their
common rate dearest first. The mean over the scenarios is a concave piecewise-linear function of the
rate: the second stage of a stochastic program in closed form. Ref: Birge & Louveaux, Introduction
to Stochastic Programming, 2nd ed. (2011), sec. 1.1 (the news vendor).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.network import Network

NOW, LATER = 0, 1
"""Work worth its whole value now, and work that may as well wait."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Worth of each pair as pieces in the order of falling slope, (pieces, pairs, B).

    `width_gbps` sum to the highest load of any scenario; `slope` is USD per Gbit.
    """

    width_gbps: Float[np.ndarray, "pieces pairs B"]
    slope_usd_per_gbit: Float[np.ndarray, "pieces pairs B"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of sites and what their demands pay, ranked dearest first.

    Attributes:
        pair: the pair of each demand.
        first: one demand of each pair: all have its tunnels.
        demand, kind, share, value: of each piece of a pair: whose work, `NOW` or `LATER`, which
            share of it, USD per Gbit. Padded with shares of 0.
    """

    pair: Int[np.ndarray, " demands"]
    first: Int[np.ndarray, " pairs"]
    demand: Int[np.ndarray, "pairs ranks"]
    kind: Int[np.ndarray, "pairs ranks"]
    share: Float[np.ndarray, "pairs ranks"]
    value: Float[np.ndarray, "pairs ranks"]

    def work(self, load_gbps: np.ndarray) -> np.ndarray:
        """Load of each piece, (pairs, ranks, B, scenarios).

        Args:
            load_gbps: by kind, (kinds, demands, B, scenarios).
        """
        return load_gbps[self.kind, self.demand] * self.share[:, :, None, None]

    def curves(self, work_gbps: np.ndarray, pieces: int) -> Curves:
        """Worth of rates, (`pieces`, pairs, B), exact at the ends of the pieces.

        Args:
            work_gbps: load of each piece, (pairs, ranks, B, scenarios).
            pieces: how many pieces of all those between two loads are kept.
        """
        pairs, ranks, batch, scenarios = work_gbps.shape
        ends = np.cumsum(work_gbps, 1).transpose(0, 2, 1, 3).reshape(pairs, batch, -1)
        drop = self.value - np.pad(self.value[:, 1:], ((0, 0), (0, 1)))
        drop = np.repeat(drop / scenarios, scenarios, axis=1)
        order = np.argsort(ends, axis=2, kind="stable")
        ends = np.take_along_axis(ends, order, 2)
        dropped = np.cumsum(drop[np.arange(pairs)[:, None, None], order], 2)
        before = np.pad(dropped[:, :, :-1], ((0, 0), (0, 0), (1, 0)))
        slope = np.maximum(self.value[:, :1, None] - before, 0.0)
        worth = np.cumsum(slope * np.diff(ends, axis=2, prepend=0.0), 2)
        kept = np.linspace(0, ranks * scenarios - 1, pieces).round().astype(int)
        width = np.diff(ends[:, :, kept], axis=2, prepend=0.0)
        gain = np.diff(worth[:, :, kept], axis=2, prepend=0.0)
        is_wide = width > NARROW_GBPS
        mean = np.where(is_wide, gain / np.where(is_wide, width, 1.0), 0.0)
        return Curves(*(np.moveaxis(part, 2, 0) for part in (width * is_wide, mean)))

    def guarantees(self, rate_gbps: np.ndarray, work_gbps: np.ndarray) -> np.ndarray:
        """Rates of pairs shared out among their demands, (demands, B).

        Each piece gets what it takes in its highest scenario, dearest first: the others borrow what
        it leaves unused, but cannot give back what it lacks. A rate beyond all work is shared in
        proportion.

        Args:
            rate_gbps: (pairs, B).
            work_gbps: load of each piece, (pairs, ranks, B, scenarios).
        """
        highest = work_gbps.max(3)
        before = np.cumsum(highest, 1) - highest
        taken = np.clip(rate_gbps[:, None] - before, 0.0, highest)
        given = np.zeros((len(self.pair), rate_gbps.shape[1]))
        np.add.at(given, self.demand, taken)
        total = taken.sum(1)
        factor = rate_gbps / np.where(total > 0, total, 1.0)
        return given * factor[self.pair]


def pairs_of(
    network: Network, patience: float, stall_usd_per_gbit: np.ndarray, waits: np.ndarray
) -> Pairs:
    """Group the demands of a network and rank what they pay.

    Args:
        network: whose demands, tunnels and value law.
        patience: worth of work that may wait, over that of work that may not.
        stall_usd_per_gbit: what a Gbit costs while it blocks GPUs, (demands,).
        waits: which demands may wait beyond an interval, (demands,).
    """
    pair, first = _grouped(network)
    law = network.law
    share = law.piece_share
    seconds = np.minimum(network.demands.deadline_s, network.interval_s)
    besides = law.expiry_usd_per_gbit + law.late_usd_per_gbit_s * seconds + stall_usd_per_gbit
    value = law.value_usd_per_gbit + besides[:, None]
    ranked: list[list[tuple[float, int, int, float]]] = [[] for _ in first]
    for row, piece in np.argwhere((share > 0) & (value > 0)):
        worth, part = float(value[row, piece]), float(share[row, piece])
        ranked[pair[row]].append((worth, int(row), NOW, part))
        if waits[row]:
            ranked[pair[row]].append((worth * patience, int(row), LATER, part))
    shape = (len(first), max(1, *map(len, ranked)))
    pieces = Pairs(
        pair, first,
        np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape),
    )  # fmt: skip
    for place, rows in enumerate(ranked):
        for rank, (worth, row, kind, part) in enumerate(sorted(rows, key=lambda one: -one[0])):
            pieces.demand[place, rank], pieces.kind[place, rank] = row, kind
            pieces.share[place, rank], pieces.value[place, rank] = part, worth
    return pieces


def _grouped(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """The pair of each demand, and one demand of each pair."""
    demands, tunnels = network.demands, network.tunnels
    rows: dict[tuple[int, int, bytes, bytes], int] = {}
    pair, first = np.zeros(network.n_demands, np.int64), []
    for row in range(network.n_demands):
        ends = int(demands.source[row]), int(demands.target[row])
        key = (*ends, tunnels.exists[row].tobytes(), tunnels.hops[row].tobytes())
        if key not in rows:
            rows[key] = len(rows)
            first.append(row)
        pair[row] = rows[key]
    return pair, np.array(first, np.int64)


NARROW_GBPS = 1e-9
"""Pieces below this are none: their slope is rounding."""

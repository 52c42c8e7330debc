"""What the learned policy sees: the window of each demand, and what its splits do to the links.

Only shares of load and capacity enter, so nothing changes with the unit of load. Written once for
NumPy and torch; rows are (channels, rows, B).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.arrays import Array, joined, like, namespace, stacked
from bwalloc.bench.te.dataset import HISTORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.bench.te.network import SplitNetwork

INPUTS: Mapping[str, int] = {"demands": HISTORY + 4, "tunnels": 8, "links": 6, "globals": 3}
"""Channels in, by kind of row."""
TINY = 1e-6
"""Load below which a demand is as good as silent, as a share of its widest tunnel."""
SILENT = 1e-12
"""Utilisation of the fullest link below which nothing flows."""
SHARP = 0.03
"""Distance below the fullest link, as a share of its utilisation, at which a link still counts."""


def shares(network: SplitNetwork, logits: Array) -> Array:
    """Softmax over the tunnels that exist, (demands, tunnels, B)."""
    xp = namespace(logits)
    exists = like(network.exists.astype(np.float32)[..., None], logits)
    top = xp.amax(logits - 1e9 * (1 - exists), 1)[:, None]
    grown = xp.exp((logits - top).clip(max=0)) * exists
    return grown / grown.sum(1)[:, None]


def seen_of_demands(network: SplitNetwork, history_gbps: Array) -> Array:
    """Window, size, spread, peak and trend of every demand."""
    xp = namespace(history_gbps)
    rate = history_gbps / like(network.narrowest_gbps.max(1)[:, None], history_gbps)
    mean = rate.mean(0)
    level = mean.mean(0)[None]
    spread = ((rate - mean) ** 2).mean(0) ** 0.5
    window = xp.log((rate + TINY) / (mean + TINY)).clip(-3, 3)
    rows = [
        xp.log((mean + TINY) / (level + TINY)) / 3,
        (spread / (mean + TINY)).clip(0, 3),
        (xp.amax(rate, 0) / (mean + TINY)).clip(0, 4) - 1,
        (window[-1] - window[0]) / 2,
    ]
    return joined(window, stacked(rows), axis=0)


def seen_of_splits(
    network: SplitNetwork, history_gbps: Array, logits: Array, progress: float
) -> tuple[dict[str, Array], Array]:
    """What the splits would have done under each matrix seen: rows of tunnels, links, globals.

    Beside the rows stands the toll of every tunnel, (demands, tunnels, B).

    Args:
        network: what is routed on.
        history_gbps: matrices seen, (history, demands, B).
        logits: of the splits, (demands, tunnels, B).
        progress: share of the looks that are done, 0 to 1.
    """
    xp = namespace(logits)
    split = shares(network, logits)
    used = network.utilisation(split, history_gbps)
    fullest = xp.amax(used, 1).clip(SILENT)
    used = used / fullest[:, None]
    price = _price(used)
    mean = used.mean(0)
    narrow = like(_narrowness(network.capacity_gbps)[:, None], used)
    links = [
        used[-1], mean, xp.amax(used, 0), xp.amin(used, 0), 3 * price, narrow + 0 * mean
    ]  # fmt: skip
    whole = [0 * mean[0] + progress, mean.mean(0), (fullest[-1] / fullest.mean(0)) - 1]
    flat = (-1, split.shape[2])
    tunnels, toll = _of_tunnels(network, history_gbps, logits, split, used, price, fullest)
    rows = {
        "tunnels": stacked([row.reshape(*flat) for row in tunnels]),
        "links": stacked(links),
        "globals": stacked(whole)[:, None],
    }
    return rows, toll


def _of_tunnels(
    network: SplitNetwork,
    history_gbps: Array,
    logits: Array,
    split: Array,
    used: Array,
    price: Array,
    fullest: Array,
) -> tuple[list[Array], Array]:
    """Share, logit, size, and how full and dear the links of each tunnel are.

    The toll is the gradient of the smoothed mean MLU with respect to a tunnel's share, relative to
    the demand's other tunnels.
    """
    xp = namespace(logits)
    load = history_gbps.mean(0)[:, None] / fullest.mean(0)
    size = load * like(_inverse(network.narrowest_gbps)[..., None], split)
    per_gbps = price / like(network.capacity_gbps[:, None], price)
    toll = network.crosses.spread(per_gbps).reshape(split.shape) * load
    toll = toll - (toll * split).sum(1)[:, None]
    worst = -network.crosses.least(-xp.amax(used, 0))
    typical = -network.crosses.least(-used.mean(0))
    rows = [
        split, (logits / 4).clip(-2, 2), xp.log(size + 1e-4) / 3, size * split, worst, typical,
        xp.log(abs(toll) + 1e-5) / 4 + 1.5, xp.tanh(20 * toll),
    ]  # fmt: skip
    return rows, toll


def _price(used: Array) -> Array:
    """How much it matters that a link is full, mean over the matrices; sums to 1 over links."""
    weight = namespace(used).exp((used - 1) / SHARP)
    return (weight / weight.sum(1)[:, None]).mean(0)


def _narrowness(capacity: np.ndarray) -> np.ndarray:
    return (np.log(capacity / np.median(capacity)) / 2).astype(np.float32)


def _inverse(narrowest: np.ndarray) -> np.ndarray:
    return np.where(narrowest > 0, 1 / np.maximum(narrowest, 1e-9), 0).astype(np.float32)

"""Scenarios of the load to come: what the record saw follow moments like this one.

A level is predicted per demand from slow signals (mean, hour of day, smoothed load), and a forecast
from those and quick ones (last interval, its last seconds). Moments of the record are sorted into
bins by forecast over level; what followed them, over level, gives the quantiles of the bin. Ref:
sample averages over moments alike; Bertsimas & Kallus, Management Science 66 (2020),
doi:10.1287/mnsc.2018.3253.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.observe import History, LoadLog, Readings, Window

SCENARIOS = 32
BINS = 8
MEMORY = 30
"""Intervals that the smoothed signals look back."""
QUICK = 0.5
"""Weight of the newest interval in the quick one of the two smoothed signals."""
LEAST_LEVEL = 0.05
"""A level never falls below this share of the demand's mean."""
RECENT_S = 3.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """Conditional quantiles per demand, ready to be read off.

    Attributes:
        slow: weight of the new interval in the slow smoothed signal.
        hourly_gbps: mean by hour of day.
        mean_gbps: mean over the record; a demand without load in the record has 0 here.
        level: coefficients of mean, hour, slow signal.
        forecast: coefficients of those, and of quick signal, last interval, last seconds.
        edges: forecast over level between bins.
        ratio: load over level, by bin, one per scenario and in no order.
    """

    slow: float
    hourly_gbps: Float[np.ndarray, "hours demands"]
    mean_gbps: Float[np.ndarray, " demands"]
    level: Float[np.ndarray, "demands 3"]
    forecast: Float[np.ndarray, "demands 6"]
    edges: Float[np.ndarray, "demands edges"]
    ratio: Float[np.ndarray, "demands bins scenarios"]

    def scenarios(self, window: Window, readings: Readings) -> np.ndarray:
        """Loads of the coming interval, all equally likely, Gbit/s (scenarios, demands, B).

        A demand that the record knows nothing of takes quantiles of its recent intervals.
        """
        signals = self._signals(window, readings)
        level = _level(signals, self.level, self.mean_gbps[:, None])
        expected = np.einsum("dbs,ds->db", signals, self.forecast)
        outlook = expected / np.maximum(level, TINY_GBPS)
        place = (outlook[:, :, None] > self.edges[:, None]).sum(2)
        ratio = self.ratio[np.arange(len(place))[:, None], place]
        known = np.moveaxis(ratio * level[:, :, None], 2, 0)
        if (self.mean_gbps > 0).all():
            return known
        unknown = np.stack([window.quantile(q) for q in _quantiles(known.shape[0])])
        return np.where(self.mean_gbps[:, None] > 0, known, unknown)

    def _signals(self, window: Window, readings: Readings) -> np.ndarray:
        """What level and forecast are predicted from, (demands, B, signals)."""
        slow = window.ewma(self.slow)
        usual = self.hourly_gbps[(np.asarray(readings.hour_of_week) % 24).astype(int)].T
        mean = np.broadcast_to(self.mean_gbps[:, None], slow.shape)
        quick = (window.ewma(QUICK), readings.offered_gbps, readings.recent_gbps)
        return np.stack([mean, usual, slow, *quick], 2).astype(np.float64)


def learn_outlook(
    history: History, interval_s: float, averaged_s: np.ndarray, slow: float
) -> Outlook:
    """Fit the outlook to a record.

    Args:
        history: the record; where it holds no log, scenarios are recent intervals.
        interval_s: length of an interval.
        averaged_s: time over which the load of each demand is averaged, (demands,).
        slow: weight of the newest interval in the slow smoothed signal.
    """
    log = history.log
    if log.load_gbps.shape[1] <= MEMORY:
        return _nothing_known(slow, history.hourly_gbps)
    load = log.load_gbps.astype(np.float32)
    signals = _logged_signals(history, load, interval_s, slow)
    following = load[:, MEMORY:].reshape(-1, *load.shape[2:])
    mean = load.mean((0, 1, 2), dtype=np.float64)
    target = following.mean(1, dtype=np.float64).T
    base = _fitted(signals[:, :, :3], target, np.ones_like(target))
    level = _level(signals, base, mean[:, None])
    forecast = _fitted(signals, target, 1.0 / np.maximum(level, TINY_GBPS))
    outlook = np.einsum("dbs,ds->db", signals, forecast) / np.maximum(level, TINY_GBPS)
    length = np.clip(np.round(averaged_s * log.substeps / interval_s), 1, log.substeps)
    scale = (1.0 / np.maximum(level, TINY_GBPS)).T[:, None].astype(np.float32)
    edges, ratio = _binned(outlook, following * scale, length.astype(int))
    return Outlook(slow, history.hourly_gbps, mean, base, forecast, edges, ratio)


def _nothing_known(slow: float, hourly_gbps: np.ndarray) -> Outlook:
    """The outlook of a record without a log: its scenarios are recent intervals."""
    demands = hourly_gbps.shape[1]
    return Outlook(
        slow=slow,
        hourly_gbps=hourly_gbps,
        mean_gbps=np.zeros(demands),
        level=np.zeros((demands, 3)),
        forecast=np.zeros((demands, 6)),
        edges=np.zeros((demands, BINS - 1)),
        ratio=np.zeros((demands, BINS, SCENARIOS)),
    )


def _logged_signals(
    history: History, load: np.ndarray, interval_s: float, slow: float
) -> np.ndarray:
    """The signals at the end of every interval that has one after it, (demands, moments, 6)."""
    log: LoadLog = history.log
    last = load.mean(2)
    recent = max(1, round(RECENT_S * log.substeps / interval_s))
    moments = slice(MEMORY - 1, -1)
    usual = history.hourly_gbps[log.hour_of_day(interval_s)[:, MEMORY:]]
    rows = (
        np.broadcast_to(load.mean((0, 1, 2)), usual.shape),
        usual,
        _smoothed(last, slow)[:, :-1],
        _smoothed(last, QUICK)[:, :-1],
        last[:, moments],
        load[:, moments, -recent:].mean(2),
    )
    flat = [row.reshape(-1, row.shape[2]).T for row in rows]
    return np.stack(flat, 2).astype(np.float64)


def _smoothed(last: np.ndarray, alpha: float) -> np.ndarray:
    """`Window.ewma` at every interval from the `MEMORY`-th on, (episodes, moments, demands)."""
    weights = (1.0 - alpha) ** np.arange(MEMORY)
    weights /= weights.sum()
    runs = np.lib.stride_tricks.sliding_window_view(last, MEMORY, axis=1)
    return runs @ weights[::-1]


def _fitted(signals: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted least squares per demand, barely ridged, (demands, signals)."""
    weighted = signals * weight[:, :, None]
    square = np.einsum("dms,dmt->dst", weighted, weighted)
    ridge = RIDGE * np.trace(square, axis1=1, axis2=2)[:, None, None] + TINY_GBPS
    square = square + ridge * np.eye(square.shape[1])
    product = np.einsum("dms,dm->ds", weighted, target * weight)
    return np.linalg.solve(square, product[:, :, None])[:, :, 0]


def _level(signals: np.ndarray, coefficients: np.ndarray, mean: np.ndarray) -> np.ndarray:
    slow = np.einsum("dbs,ds->db", signals[:, :, :3], coefficients)
    return np.maximum(slow, LEAST_LEVEL * mean)


def _binned(
    outlook: np.ndarray, following: np.ndarray, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Edges between bins of equally many moments, and what followed the moments of each.

    Args:
        outlook: what sorts the moments, (demands, moments).
        following: load over level after them, (moments, substeps, demands).
        length: substeps over which the load of each demand is averaged, (demands,).
    """
    demands, moments = outlook.shape
    order = np.argsort(outlook, axis=1, kind="stable")[:, : moments // BINS * BINS]
    by_bin = order.reshape(demands, BINS, -1)
    first = np.take_along_axis(outlook, by_bin[:, 1:, 0], 1)
    ratio = np.zeros((demands, BINS, SCENARIOS))
    levels = _quantiles(SCENARIOS)
    for row in range(demands):
        average = _sliding_mean(following[:, :, row], int(length[row]))
        seen = average[by_bin[row]].reshape(BINS, -1)
        shuffle = np.random.default_rng(row).permutation(SCENARIOS)
        ratio[row] = np.quantile(seen, levels, axis=1).T[:, shuffle]
    return first, ratio


def _sliding_mean(load: np.ndarray, length: int) -> np.ndarray:
    """Means over all runs of `length` substeps, (moments, runs)."""
    total = np.cumsum(np.pad(load, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    return (total[:, length:] - total[:, :-length]) / length


def _quantiles(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


TINY_GBPS = 1e-9
RIDGE = 1e-9

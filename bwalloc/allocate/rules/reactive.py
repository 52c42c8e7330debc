"""Rules that follow the last interval: proportional, max-min, strict priority, autoscale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.rule import Context, backlog_gbps, wide_split

if TYPE_CHECKING:
    from bwalloc.observe import Readings, Window

FLOOR_GBPS = np.float32(1e-3)
"""Asked for even by a silent demand, so that it is not shut out."""


class Proportional:
    """Scarce links are shared in proportion to what each demand last offered."""

    window = 1

    def __init__(self, context: Context) -> None:
        """Bind the network."""
        self.network = context.network
        self.over = np.float32(context.constant("over", 1.0))

    def ask(self, window: Window, readings: Readings) -> Ask:
        """Last load times a factor, weighted by itself."""
        del window
        want = readings.offered_gbps * self.over + backlog_gbps(self.network, readings) + FLOOR_GBPS
        return Ask(want, want, wide_split(self.network, readings.capacity_gbps), want)


class MaxMin:
    """Fair shares of what each demand last offered: nobody gains unless someone poorer loses.

    Ref: Bertsekas & Gallager, Data Networks, 2nd ed. (1992), sec. 6.5.2.
    """

    window = 1

    def __init__(self, context: Context) -> None:
        """Bind the network."""
        self.network = context.network
        self.over = np.float32(context.constant("over", 1.0))

    def ask(self, window: Window, readings: Readings) -> Ask:
        """Last load times a factor, all weights equal."""
        del window
        want = readings.offered_gbps * self.over + backlog_gbps(self.network, readings) + FLOOR_GBPS
        equal = want * 0 + 1
        return Ask(want, equal, wide_split(self.network, readings.capacity_gbps), equal)


class StrictPriority:
    """Classes are served in the order of their value; each sees only what the dearer ones left."""

    def __init__(self, context: Context) -> None:
        """Rank the demands by value per Gbit, in half-decade steps."""
        self.network = context.network
        self.decoder = Decoder(context.network)
        self.further = Decoder(context.network, keeps_floors=False)
        self.over = context.by_class("over", 1.5)
        level = np.round(2 * np.log10(np.maximum(context.value_usd_per_gbit[:, 0], 1e-9)))
        self.levels = [np.flatnonzero(level == value) for value in np.unique(level)[::-1]]

    def reset(self, batch: int) -> None:
        """Nothing to forget."""

    def decide(self, readings: Readings) -> np.ndarray:
        """Decode level by level on the capacity that is left."""
        want = readings.offered_gbps * self.over + backlog_gbps(self.network, readings) + FLOOR_GBPS
        split = wide_split(self.network, readings.capacity_gbps)
        room, rates = readings.capacity_gbps, split * 0
        for number, rows in enumerate(self.levels):
            mine = want * 0
            mine[rows] = want[rows] if number == 0 else _missing(want, rates)[rows]
            last = number == len(self.levels) - 1
            decoder = self.further if number else self.decoder
            granted = decoder(Ask(mine, mine + FLOOR_GBPS, split, want * last), room)
            rates = rates + granted
            used = self.decoder.paths.total(granted.reshape(-1, granted.shape[2]))
            room = np.maximum(room - used, np.float32(0))
        return rates


def _missing(want: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """What a demand wants beyond its floor, which came with the first level, (demands, B)."""
    return np.maximum(want - rates.sum(1), np.float32(0))


class Autoscale:
    """Threshold scaling on the 95th percentile of a window, with a dead band.

    The reservation moves to `headroom * p95` when the p95 leaves the band between `down` and `up`
    times the reservation: what vendors' schedulers do.
    """

    def __init__(self, context: Context) -> None:
        """Bind the network and the thresholds."""
        self.network = context.network
        self.window = int(context.constant("window", 12))
        self.headroom = np.float32(context.constant("headroom", 1.2))
        self.up = np.float32(context.constant("up", 0.9))
        self.down = np.float32(context.constant("down", 0.5))
        self.reserved: np.ndarray | None = None

    def ask(self, window: Window, readings: Readings) -> Ask:
        """The held reservations."""
        p95 = window.quantile(0.95)
        if self.reserved is None or window.pushes == 1:
            self.reserved = p95 * self.headroom
        outside = (p95 > self.up * self.reserved) | (p95 < self.down * self.reserved)
        self.reserved = np.where(outside, p95 * self.headroom, self.reserved)
        want = self.reserved + FLOOR_GBPS
        return Ask(want, want, wide_split(self.network, readings.capacity_gbps), want)

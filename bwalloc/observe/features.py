"""Features of telemetry: what a policy sees, in training and in serving.

Everything is a ratio or a logarithm of one, clipped, so that no separate statistics exist and a
policy can be carried to networks of other sizes. Runs on NumPy and torch, batch last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.arrays import Array, Incidence, like, namespace, positive, stacked
from bwalloc.observe.feature import Feature, tables_of
from bwalloc.observe.rhythm import ROWS, rhythm_features, updated
from bwalloc.observe.twin import twin_of

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe.readings import Readings


SPANS = (3.0, 18.0, 90.0)
"""Intervals that the running means reach back; the longest is the trailing mean."""
LEAST = 1e-6
"""Share of the widest path below which a trailing mean counts as this."""
SOFT = 0.01
"""Share of the trailing mean added to a load and to the mean before taking the log."""
LITTLE = 1e-3
"""Share of the mean work of an interval below which a queue is hardly one: what rounding left in
it must not say how urgent it is."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What features remember; all batch last.

    Attributes:
        seen: intervals seen, (B,).
        means: running means of the load over `SPANS`, Gbit/s, (spans, demands, B).
        square: running mean of the squared deviation from the trailing mean, (demands, B).
        excess: running mean of peak less mean inside an interval, Gbit/s, (demands, B).
        rhythm: when bursts began, (rows, demands, B), as `observe.rhythm` lists them; no rows where
            it is not seen.
    """

    seen: Array
    means: Array
    square: Array
    excess: Array
    rhythm: Array


class Observer:
    """Turns readings into features for one network; holds constants only.

    On NumPy its compiled twin does the same where numba is installed.
    """

    def __init__(
        self, network: Network, *, spans: bool = False, compiled: bool | None = None
    ) -> None:
        """Collect capacities, values and deadlines.

        Args:
            network: what it watches.
            spans: whether announced works and rhythms are seen, as `tables_of` says; spans have
                an observer of their own.
            compiled: None uses numba if installed.
        """
        self.tables = tables_of(spans=spans)
        self.interval_s = network.interval_s
        self.exists = network.tunnels.exists
        self.paths = Incidence(network.flat_hops, network.n_links)
        value = network.law.whole_usd_per_gbit
        self.value = _column(np.maximum(value, 1e-12))
        deadline = np.minimum(network.demands.deadline_s, 1e9) / network.interval_s
        budget_ms = np.minimum(network.demands.budget_ms, 1e9)[:, None]
        fixed = {
            "demands": [
                np.log10(np.maximum(value / value.mean(), 1e-12)),
                np.log10(np.maximum(deadline, 1e-3)),
            ],
            "tunnels": [(network.tunnels.delay_ms / budget_ms).ravel()],
            "links": [network.links.is_work_conserving],
        }
        self.fixed = {kind: _within(self.tables[kind], rows) for kind, rows in fixed.items()}
        self.bounds = {
            kind: _bounds(table, len(fixed.get(kind, ())))
            for kind, table in self.tables.items()
            if kind != "spans"
        }
        twin = twin_of(compiled)
        self._law = None if twin is None else twin.constants_of(self)

    def start(self, batch: int) -> Memory:
        """Nothing seen yet, on NumPy."""
        demands = len(self.value)
        empty = np.zeros((demands, batch), np.float32)
        rhythm = np.zeros((ROWS * self.sees_everything, demands, batch), np.float32)
        means = np.stack([empty] * len(SPANS))
        return Memory(np.zeros(batch, np.float32), means, empty, empty, rhythm)

    def update(self, memory: Memory, readings: Readings) -> Memory:
        """Remember one more interval."""
        offered = readings.offered_gbps
        rhythm = memory.rhythm
        if self.sees_everything:
            rhythm = updated(rhythm, offered, self._trailing(memory))
        if self._law is not None and isinstance(offered, np.ndarray):
            means, square, excess = twin_of(True).updated(self._law, memory, readings)
            return Memory(memory.seen + 1, means, square, excess, rhythm)
        keep, trailing = [1.0 - 1.0 / span for span in SPANS], self._trailing(memory)
        means = stacked(
            [k * mean + (1.0 - k) * offered for k, mean in zip(keep, memory.means, strict=True)]
        )
        k = keep[-1]
        return Memory(
            memory.seen + 1,
            means,
            k * memory.square + (1.0 - k) * (offered - trailing) ** 2,
            k * memory.excess + (1.0 - k) * positive(readings.peak_gbps - offered),
            rhythm,
        )

    def __call__(
        self, memory: Memory, readings: Readings, want_gbps: Array, rates_gbps: Array
    ) -> dict[str, Array]:
        """Clipped features by kind of row, each (features, rows, B).

        Args:
            memory: updated with `readings`.
            readings: of the interval that just ended.
            want_gbps: what the base allocator asks for, (demands, B).
            rates_gbps: of the interval that just ended, (demands, tunnels, B).
        """
        capacity = readings.capacity_gbps
        if self._law is not None and isinstance(capacity, np.ndarray):
            seen = (memory, readings, want_gbps, rates_gbps)
            works = [self.works(readings)] if self.sees_everything else []
            given = {"demands": _rhythm(memory), "links": works}
            return twin_of(True).features_of(self._law, *seen, given)
        narrowest = self.paths.least(capacity).reshape(*self.exists.shape, -1)
        xp = namespace(capacity)
        widest = xp.amax(narrowest, 1) + LEAST
        columns = {
            "demands": self._demands(memory, readings, widest, want_gbps, rates_gbps),
            "tunnels": self._tunnels(readings, narrowest, widest),
            "links": self._links(readings, want_gbps, narrowest),
            "globals": self._globals(memory, readings),
        }
        return {kind: self._finished(kind, moving) for kind, moving in columns.items()}

    def _demands(
        self,
        memory: Memory,
        readings: Readings,
        widest: Array,
        want_gbps: Array,
        rates_gbps: Array,
    ) -> list[Array]:
        xp = namespace(widest)
        fast, medium, trailing = (
            mean / self.weight(memory.seen, 1.0 - 1.0 / span)
            for mean, span in zip(memory.means, SPANS, strict=True)
        )
        slow = self.weight(memory.seen, 1.0 - 1.0 / SPANS[-1])
        mean = xp.maximum(trailing, LEAST * widest)
        loads = [
            readings.offered_gbps, readings.recent_gbps, readings.peak_gbps, fast, medium,
            want_gbps, rates_gbps.sum(1),
        ]  # fmt: skip
        last, recent, peak, short, long, want, granted = xp.log(
            (stacked(loads) + SOFT * mean) / ((1.0 + SOFT) * mean)
        )
        queued = readings.queued_gbit.sum(1)
        ended = readings.expired_gbit + readings.served_gbit
        worth = like(self.value, mean) * mean
        return [
            xp.log10(mean / widest),
            last, recent, peak, short, long,
            xp.log1p(xp.sqrt(memory.square / slow) / mean),
            xp.log1p(memory.excess / slow / mean),
            xp.log1p(queued / (self.interval_s * mean)),
            readings.queued_gbit[:, 0] / (queued + LITTLE * self.interval_s * mean),
            readings.expired_gbit / (ended + 1e-9),
            xp.log10(worth / worth.sum(0)),
            want, granted, *_rhythm(memory),
        ]  # fmt: skip

    def _tunnels(self, readings: Readings, narrowest: Array, widest: Array) -> list[Array]:
        xp = namespace(widest)
        load = readings.carried_gbps / (readings.capacity_gbps + LEAST)
        room = self.paths.least(-load).reshape(narrowest.shape)
        width = xp.log10((narrowest + LEAST) / widest[:, None])
        if not self.exists.all():  # rows without a tunnel are 0, as all that pads
            width = width * like(self.exists[:, :, None].astype(np.float32), width)
        batch = widest.shape[1]
        return [column.reshape(-1, batch) for column in (width, -room)]

    def _links(self, readings: Readings, want_gbps: Array, narrowest: Array) -> list[Array]:
        xp = namespace(narrowest)
        capacity = readings.capacity_gbps + LEAST
        share = narrowest / (narrowest.sum(1)[:, None] + LEAST)
        asked = (want_gbps[:, None] * share).reshape(-1, want_gbps.shape[1])
        columns = [
            xp.log10(capacity / capacity.mean(0)),
            readings.carried_gbps / capacity,
            xp.log1p(self.paths.total(asked) / capacity),
        ]
        return [*columns, self.works(readings)] if self.sees_everything else columns

    @property
    def sees_everything(self) -> bool:
        """Whether announced works and rhythms are seen."""
        return "spans" in self.tables

    def works(self, readings: Readings) -> Array:
        """Share of each link that announced works take, (links, B)."""
        capacity = readings.capacity_gbps
        if not len(readings.announced_gbps):
            return capacity * 0
        return 1.0 - (readings.announced_gbps + LEAST) / (capacity + LEAST)

    def _globals(self, memory: Memory, readings: Readings) -> list[Array]:
        xp = namespace(memory.square)
        hour = readings.hour_of_week
        hour = np.asarray(hour, np.float32) if xp is np else hour.to(memory.square)
        day, week = hour * (2 * np.pi / 24.0), hour * (2 * np.pi / 168.0)
        trailing = memory.means[-1].sum(0) / self.weight(memory.seen, 1.0 - 1.0 / SPANS[-1])
        load = readings.offered_gbps.sum(0)
        ratio = xp.log((load + LEAST) / (trailing + LEAST))
        waves = (xp.sin(day), xp.cos(day), xp.sin(week), xp.cos(week))
        return [column[None] for column in (*waves, ratio)]

    def _finished(self, kind: str, moving: list[Array]) -> Array:
        """Clip the features that move, and put those that never change behind them."""
        xp, whole = namespace(moving[0]), stacked(moving)
        low, high = (like(bound, whole) for bound in self.bounds[kind])
        whole = xp.minimum(xp.maximum(whole, low), high)
        if kind not in self.fixed:
            return whole
        fixed = like(self.fixed[kind], whole)
        fixed = xp.broadcast_to(fixed, (len(fixed), *whole.shape[1:]))
        return xp.concatenate([whole, fixed])

    def _trailing(self, memory: Memory) -> Array:
        """The longest running mean so far, (demands, B)."""
        return memory.means[-1] / self.weight(memory.seen, 1.0 - 1.0 / SPANS[-1])

    def weight(self, seen: Array, keep: float) -> Array:
        """The weight that a running mean which began at 0 has gathered."""
        return (1.0 - keep**seen).clip(1.0 - keep)


def _rhythm(memory: Memory) -> list[Array]:
    """Features of rhythms where they are seen."""
    return rhythm_features(memory.rhythm) if len(memory.rhythm) else []


def _column(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None]


def _bounds(table: Table, fixed: int) -> tuple[np.ndarray, np.ndarray]:
    """Low and high of the features that move, (features, 1, 1) each."""
    moving = table[: len(table) - fixed]
    low, high = (np.array([feature[place] for feature in moving], np.float32) for place in (1, 2))
    return low[:, None, None], high[:, None, None]


def _within(table: Table, rows: list[np.ndarray]) -> np.ndarray:
    """The features that never change, clipped, (features, rows, 1)."""
    clipped = [
        np.clip(np.asarray(row, np.float32), feature.low, feature.high)
        for row, feature in zip(rows, table[-len(rows) :], strict=True)
    ]
    return np.stack(clipped)[:, :, None]


Table = tuple[Feature, ...]

"""`earliest-deadline`: work whose deadline is nearest gets the rate it needs before all other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.rule import Context, backlog_gbps, wide_split
from bwalloc.allocate.rules.reactive import FLOOR_GBPS

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe import Readings


class EarliestDeadline:
    """Deadlines first, value second.

    A demand is due when it declared (`Readings.declared_due_s`), else within the deadline of its
    class, or the grace of its group; it needs the rate that clears what it declared by then, else
    the load that was just seen and its backlog. Times within a factor of `SAME` count as equal:
    there shares go by value. What is left goes to the rest of all loads, the dearest demands first.
    Ref: Liu & Layland, J. ACM 20 (1973), doi:10.1145/321738.321743.
    """

    def __init__(self, context: Context) -> None:
        """Read margins, deadlines and values."""
        network = self.network = context.network
        self.decoder = Decoder(network)
        self.further = Decoder(network, keeps_floors=False)
        self.has_floors = bool(network.demands.floor_gbps.any())
        self.over = context.by_class("over", 1.5)
        self.deadline_s = _deadline_s(network)
        value = context.value_usd_per_gbit / max(float(context.value_usd_per_gbit.max()), 1e-12)
        exponent = np.float32(context.constant("value_exponent", 1.0))
        self.worth = np.maximum(value, LEAST_WORTH) ** exponent

    def reset(self, batch: int) -> None:
        """Nothing to forget."""

    def decide(self, readings: Readings) -> np.ndarray:
        """Decode needs, those of equal times together, on what nearer ones left; then the rest."""
        load = readings.offered_gbps * self.over + FLOOR_GBPS
        whole = load + backlog_gbps(self.network, readings)
        need, due_s = self._needs(readings, whole)
        split = wide_split(self.network, readings.capacity_gbps)
        room, rates = readings.capacity_gbps, split * 0
        if self.has_floors:
            room, rates = self._grant(self.decoder, need * 0, split, room, rates)
        place = _places(due_s)
        for group in np.unique(place[np.isfinite(place)]):
            mine = np.where(place == group, np.maximum(need - rates.sum(1), np.float32(0)), 0)
            room, rates = self._grant(self.further, mine.astype(np.float32), split, room, rates)
        rest = np.maximum(whole - rates.sum(1), np.float32(0))
        _, rates = self._grant(self.further, rest, split, room, rates, spare=whole * self.worth)
        return rates

    def _needs(self, readings: Readings, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rate that each demand needs, and the time until it is due, (demands, B)."""
        need = np.where(np.isfinite(self.deadline_s), whole, np.float32(0))
        due_s = np.broadcast_to(self.deadline_s, need.shape)
        declared = readings.declared_gbit
        if not len(declared):
            return need, due_s
        is_told = np.isfinite(readings.declared_due_s)
        due_s = np.where(is_told, readings.declared_due_s, due_s)
        safe = np.where(is_told, np.maximum(due_s, np.float32(self.network.interval_s)), 1)
        return np.where(is_told, declared / safe, need), due_s

    def _grant(
        self,
        decoder: Decoder,
        want: np.ndarray,
        split: np.ndarray,
        room: np.ndarray,
        rates: np.ndarray,
        spare: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is left of the links, and the rates so far, after more is granted."""
        spare = want * 0 if spare is None else spare
        weight = want * self.worth + FLOOR_GBPS * self.worth
        granted = decoder(Ask(want, weight, split, spare), room)
        used = decoder.paths.total(granted.reshape(-1, granted.shape[2]))
        return np.maximum(room - used, np.float32(0)), rates + granted


def _deadline_s(network: Network) -> np.ndarray:
    """Of each demand; work without one that blocks GPUs is due within the grace of its group."""
    deadline = np.asarray(network.demands.deadline_s, np.float64)
    groups = network.groups
    grace = np.append(groups.grace_s, np.inf)[groups.member]
    return np.minimum(deadline, grace).astype(np.float32)[:, None]


def _places(due_s: np.ndarray) -> np.ndarray:
    """Times as whole steps of a factor of `SAME`; infinite where there is none."""
    return np.round(np.log(np.maximum(due_s, SOONEST_S)) / np.log(SAME))


SAME = 2.0**0.5
"""Times that differ by less count as equal."""
SOONEST_S = np.float32(1e-3)
LEAST_WORTH = np.float32(1e-3)
"""Of the dearest demand: weights much below this are lost in the rounding of `decode`."""

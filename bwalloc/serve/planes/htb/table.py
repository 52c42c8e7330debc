"""What every class gets: rates of a decision as HTB can hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from bwalloc.serve.planes.htb.layout import REST, ROOT, ClassId, Layout, Port
from bwalloc.serve.planes.htb.rates import shown

if TYPE_CHECKING:
    from collections.abc import Sequence


class Rates(NamedTuple):
    """Guaranteed, and most; bit/s."""

    rate: int
    ceil: int


Table: TypeAlias = Mapping[ClassId, Rates]


class Tables:
    """Makes tables for one layout."""

    def __init__(self, layout: Layout, scale: float, least_change: float) -> None:
        """`scale` is bit/s of the plane per bit/s of the network."""
        self.layout, self.scale, self.least_change = layout, scale, least_change
        self._sums = [_Sums(port) for port in layout.ports]

    def of(self, rates_gbps: np.ndarray, before: Table | None = None) -> dict[ClassId, Rates]:
        """The table of rates (demands, tunnels).

        Each class has at least the least rate; where that takes more than a link has, what is above
        the least is cut in proportion. Next to `before`, changes of a rate that are nearly nothing
        are left out, as far as what then remains fits the link.
        """
        flat = np.asarray(rates_gbps, np.float64).ravel() * (self.scale * 1e9)
        table: dict[ClassId, Rates] = {}
        for port, sums in zip(self.layout.ports, self._sums, strict=True):
            room = port.capacity_bps - port.rest_bps
            wanted = _fitted(sums(flat), self.layout.least_bps, room)
            found = [shown(int(rate)) for rate in wanted]
            if before is not None:
                held = [before[port.id(leaf.minor)].rate for leaf in port.leaves]
                found = _without_tiny(found, held, room, self.least_change)
            table.update(_rows(port, found))
        return table

    def least(self) -> dict[ClassId, Rates]:
        """Every class at its least."""
        least = self.layout.least_bps
        ports = self.layout.ports
        return {
            key: value
            for port in ports
            for key, value in _rows(port, [least] * len(port.leaves)).items()
        }


class _Sums:
    """Adds up the rates of the tunnels of each class of a port."""

    def __init__(self, port: Port) -> None:
        counts = [len(leaf.rows) for leaf in port.leaves]
        self.rows = np.array([row for leaf in port.leaves for row in leaf.rows], np.int64)
        self.starts = np.cumsum([0, *counts[:-1]]) if counts else np.zeros(0, np.int64)

    def __call__(self, flat: np.ndarray) -> np.ndarray:
        if not len(self.rows):
            return np.zeros(0)
        return np.add.reduceat(flat[self.rows], self.starts)


def _fitted(rates_bps: np.ndarray, least_bps: int, room_bps: int) -> np.ndarray:
    """At least the least for each, and together no more than there is."""
    raised = np.maximum(rates_bps, least_bps)
    total = float(raised.sum())
    if total <= room_bps:
        return raised
    above = raised - least_bps
    left = room_bps - least_bps * len(raised)
    return least_bps + above * (left / float(above.sum()))


def _without_tiny(
    wanted: Sequence[int], held: Sequence[int], room_bps: int, least_change: float
) -> list[int]:
    """`wanted`, but what is held where that is nearly the same and fits."""
    pairs = list(zip(wanted, held, strict=True))
    kept = [old if abs(new - old) < least_change * old else new for new, old in pairs]
    if sum(kept) <= room_bps:
        return kept
    return [min(new, keep) for new, keep in zip(wanted, kept, strict=True)]


def _rows(port: Port, rates: Sequence[int]) -> dict[ClassId, Rates]:
    most = 0 if port.mode == "cap" else port.capacity_bps
    rest = port.capacity_bps if port.mode == "guarantee" else port.rest_bps
    rows = {
        port.id(ROOT): Rates(port.capacity_bps, port.capacity_bps),
        port.id(REST): Rates(port.rest_bps, rest),
    }
    sums = dict.fromkeys(port.pools, 0)
    for pool, rate in zip(port.pool_of, rates, strict=True):
        if pool:
            sums[pool] += rate
    rows |= {port.id(pool): Rates(shown(rate), shown(rate)) for pool, rate in sums.items()}
    for leaf, rate in zip(port.leaves, rates, strict=True):
        rows[port.id(leaf.minor)] = Rates(rate, max(rate, most))
    return rows

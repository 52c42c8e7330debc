"""`decode`: from what is asked to rates that fit, by rounds of weighted bottleneck scaling."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.sharing import TINY, share_once
from bwalloc.arrays import Array, Incidence, like, positive

if TYPE_CHECKING:
    from bwalloc.allocate.reserve import Reserve
    from bwalloc.network import Network

ROUNDS = 6
SPARE_ROUNDS = 2
MARGIN = 1e-6
"""Share of a capacity that is never given out, which keeps float32 sums below it."""
HUNGRY = 1e-5, 1e-1
"""Missing share of a want up to which it counts as met, and from which its weight is whole."""
OPEN = 1e-3, 1e-1
"""Free share of a link up to which it counts as full, and from which it is open."""
STAY = 1e-2
"""Openness of all tunnels of a demand together at which half of what moves stays."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What an allocator asks `decode` for, per demand, batch last.

    Attributes:
        want_gbps: rate wanted before anybody gets spare capacity, (demands, B).
        weight: weight in the sharing of scarce links, positive, (demands, B).
        split: preferred share of each tunnel, (demands, tunnels, B); rows need not sum to one.
        spare_weight: weight in the sharing of what nobody wanted; 0 takes none, (demands, B).
    """

    want_gbps: Array
    weight: Array
    split: Array
    spare_weight: Array


class Decoder:
    """`decode` for one network; it can be shared.

    Where a network promises rates, they are reserved first, and decoded is what is asked for
    beyond them on what is left: so every allocator keeps its floors while they fit together.
    """

    def __init__(
        self, network: Network, *, compiled: bool | None = None, keeps_floors: bool = True
    ) -> None:
        """Prepare the incidence of tunnels and links.

        Args:
            network: what is decided for.
            compiled: use the compiled twin; None uses numba if it is installed.
            keeps_floors: reserve the floors of the network.
        """
        self.reserve: Reserve | None = None
        if keeps_floors and network.demands.floor_gbps.any():
            from bwalloc.allocate.reserve import reserve_of  # which decodes floors

            self.reserve = reserve_of(network)
        self.compiled = find_spec("numba") is not None if compiled is None else compiled
        self.shape = network.tunnels.exists.shape
        self.exists = network.tunnels.exists[:, :, None].astype("float32")
        self.paths = Incidence(network.flat_hops, network.n_links)

    @classmethod
    def over(cls, paths: Incidence, exists: Array) -> Decoder:
        """A decoder, not compiled, of the tunnels of `paths`; `exists` is (demands, tunnels)."""
        decoder = cls.__new__(cls)
        decoder.compiled, decoder.shape, decoder.reserve = False, exists.shape, None
        decoder.exists, decoder.paths = exists[:, :, None], paths
        return decoder

    def __call__(self, ask: Ask, capacity_gbps: Array) -> Array:
        """Feasible rates, (demands, tunnels, B), for `capacity_gbps` of (links, B)."""
        if self.reserve is None:
            return self._decoded(ask, capacity_gbps)
        reserved = self.reserve.rates_gbps(capacity_gbps)
        room = positive(capacity_gbps - self.paths.total(self._flat(reserved)))
        want = positive(ask.want_gbps - reserved.sum(1))
        rest = Ask(want, ask.weight, ask.split, ask.spare_weight)
        return reserved + self._decoded(rest, room)

    def _decoded(self, ask: Ask, capacity_gbps: Array) -> Array:
        """The rounds, without floors."""
        split = self._normalised(ask.split)
        if self.compiled and isinstance(split, np.ndarray):
            return self._compiled(ask, split, capacity_gbps)
        room = capacity_gbps - capacity_gbps * MARGIN
        rates, left = self._flat(split) * 0, ask.want_gbps
        for _ in range(ROUNDS):
            want = self._flat(left[:, None] * split)
            hungry = ramp(left / (ask.want_gbps + TINY), *HUNGRY)
            weight = self._flat((ask.weight * hungry)[:, None] * split)
            grant = share_once(self.paths, want, weight, room)
            rates, room = rates + grant, positive(room - self.paths.total(grant))
            left = positive(left - self._per_demand(grant).sum(1))
            split = self._moved(split, self.paths.least(room / (capacity_gbps + TINY)))
        for _ in range(SPARE_ROUNDS):
            weight = self._flat(ask.spare_weight[:, None] * split)
            grant = share_once(self.paths, weight * 0 + capacity_gbps.max(), weight, room)
            rates, room = rates + grant, positive(room - self.paths.total(grant))
        return self._per_demand(rates)

    def _compiled(self, ask: Ask, split: np.ndarray, capacity_gbps: np.ndarray) -> np.ndarray:
        from bwalloc.allocate.compiled import decode_block, decode_one

        rates = np.zeros((self.shape[0] * self.shape[1], split.shape[2]), np.float32)
        columns = (ask.want_gbps, ask.weight, self._flat(split), ask.spare_weight)
        asked = tuple(np.ascontiguousarray(column, np.float32) for column in columns)
        capacity = np.ascontiguousarray(capacity_gbps, np.float32)
        kernel = decode_one if split.shape[2] == 1 else decode_block
        kernel(asked, capacity, self.paths.hops, ROUNDS, SPARE_ROUNDS, rates)
        return self._per_demand(rates)

    def _normalised(self, split: Array) -> Array:
        exists = like(self.exists, split)
        kept = split * exists + exists * 1e-9
        return kept / kept.sum(1)[:, None]

    def _moved(self, split: Array, free: Array) -> Array:
        """`split` moved to the tunnels whose links have a free share; unchanged where none has."""
        open_split = split * self._per_demand(ramp(free, *OPEN))
        return (open_split + STAY * split) / (open_split.sum(1)[:, None] + STAY)

    def _flat(self, values: Array) -> Array:
        return values.reshape(self.shape[0] * self.shape[1], -1)

    def _per_demand(self, values: Array) -> Array:
        return values.reshape(*self.shape, -1)


def ramp(values: Array, low: float, high: float) -> Array:
    """0 up to `low`, 1 from `high`, straight between.

    Steps would let the last bit of a float decide, and frameworks differ in it.
    """
    return ((values - low) * (1.0 / (high - low))).clip(0.0, 1.0)


def decode(network: Network, ask: Ask, capacity_gbps: Array) -> Array:
    """Feasible rates for one ask; keep a `Decoder` when deciding often.

    Weighted max-min by rounds: exact on a single bottleneck up to the rounding of `SOFT`, and
    differentiable almost everywhere. Ref: Bertsekas & Gallager, Data Networks (1992), 6.5.2.
    """
    return Decoder(network)(ask, capacity_gbps)

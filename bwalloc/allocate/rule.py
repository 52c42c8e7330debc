"""What a classical allocator is made of: a context it is built for, and a rule that asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.arrays import Array, like, namespace
from bwalloc.observe import Window

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe import History, Readings


@dataclass(frozen=True, slots=True)
class Context:
    """What is known before the first decision: network, record, tuned constants."""

    network: Network
    history: History
    tuned: Mapping[str, float] = field(default_factory=dict[str, float])

    def constant(self, name: str, default: float) -> float:
        """A tuned constant, or its default where this environment was never tuned."""
        return float(self.tuned.get(name, default))

    def by_class(self, name: str, default: float) -> np.ndarray:
        """The constant `<name>.<class>` of each demand's class, (demands, 1)."""
        classes = self.network.demands.traffic_class
        values = [self.constant(f"{name}.{kind}", default) for kind in classes]
        return np.array(values, np.float32)[:, None]

    @property
    def value_usd_per_gbit(self) -> np.ndarray:
        """Mean value of a fully served demand per Gbit, (demands, 1)."""
        return self.network.law.whole_usd_per_gbit[:, None].astype(np.float32)


class Rule(Protocol):
    """An allocator over arrays: the same law for one network and for a batch of them."""

    def reset(self, batch: int) -> None:
        """Forget all history; the next readings belong to `batch` new episodes."""
        ...

    def decide(self, readings: Readings) -> np.ndarray:
        """Feasible rates for the coming interval, float32 (demands, tunnels, B)."""
        ...


@runtime_checkable
class Ordering(Protocol):
    """A rule that orders capacity too; asked right after its rates."""

    def order(self, readings: Readings) -> np.ndarray:
        """Place in its menu of the tier each span shall have, -1 for no order, int (offered, B)."""
        ...


def orders_of(rule: Rule, readings: Readings) -> np.ndarray | None:
    """What a rule orders beside its rates; None if it never orders. Call it after `decide`."""
    return rule.order(readings) if isinstance(rule, Ordering) else None


class Asker(Protocol):
    """A rule that only says what it wants; `decode` makes it fit."""

    window: int

    def ask(self, window: Window, readings: Readings) -> Ask:
        """What to ask, given the recent intervals (newest last)."""
        ...


class DecodedRule:
    """A rule made of an asker, a window of history and `decode`."""

    def __init__(self, network: Network, asker: Asker) -> None:
        """Hold the asker; the window starts empty."""
        self.asker = asker
        self.decoder = Decoder(network)
        self.history = Window(asker.window)

    def reset(self, batch: int) -> None:
        """Forget the window."""
        del batch
        self.history = Window(self.asker.window)

    def decide(self, readings: Readings) -> np.ndarray:
        """Ask, then decode."""
        self.history.push(readings)
        ask = self.asker.ask(self.history, readings)
        return self.decoder(ask, readings.capacity_gbps)


def even_split(network: Network, like: np.ndarray) -> np.ndarray:
    """Equal shares of the tunnels that exist, (demands, tunnels, B)."""
    exists = network.tunnels.exists.astype(np.float32)[:, :, None]
    return np.repeat(exists, like.shape[1], 2)


def wide_split(network: Network, capacity_gbps: Array) -> Array:
    """Shares in proportion to the narrowest link of each tunnel, (demands, tunnels, B)."""
    xp = namespace(capacity_gbps)
    endless = xp.full_like(capacity_gbps[:1], np.inf)
    padded = xp.concatenate([capacity_gbps, endless])
    narrowest = xp.amin(padded[like(network.tunnels.hops, padded)], 2)
    exists = like(network.tunnels.exists, padded)[:, :, None]
    return xp.where(exists, narrowest, xp.zeros_like(narrowest))


def backlog_gbps(network: Network, readings: Readings) -> Array:
    """The rate that would clear what is queued within one interval, (demands, B)."""
    return readings.queued_gbit.sum(1) / float(network.interval_s)

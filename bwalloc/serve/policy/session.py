"""A policy bound to a network: its history, its features, and the inputs of its next decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.policy.decision import inputs_of
from bwalloc.allocate.policy.learned import corrected_of
from bwalloc.allocate.session import named_orders
from bwalloc.observe import Memory, Readings
from bwalloc.observe.features import SPANS
from bwalloc.serve.telemetry.spans import nothing_ordered

if TYPE_CHECKING:
    from collections.abc import Callable

    from bwalloc.allocate.policy.gated import OrderMemory
    from bwalloc.allocate.policy.learned import Policy
    from bwalloc.control import Order
    from bwalloc.network import Network
    from bwalloc.observe import UsualDay
    from bwalloc.serve.policy.runtime import Given


class PolicySession:
    """History and features of one policy, by the code that training uses."""

    def __init__(self, network: Network, policy: Policy, usual: UsualDay | None = None) -> None:
        """Nothing is seen yet; `usual` is the usual day, which orders are made by."""
        self.corrected = corrected_of(network, policy, usual)
        self._has_begun = False
        self._inherited: tuple[PolicySession, np.ndarray] | None = None

    def reset(self) -> None:
        """Forget all history."""
        self._has_begun, self._inherited = False, None

    def inherit(self, other: PolicySession, rows: np.ndarray) -> None:
        """Go on with the history of another session, which stays as it is; its own is forgotten.

        A session that takes over from one that has seen nothing since it took over from this one
        goes on where it stood.

        Args:
            other: of the same length of an interval.
            rows: where each demand stands there, -1 for one it has not, (demands,). Of a new demand
                the next reading stands for all before it.
        """
        source = other if other._inherited is None else other._inherited[0]
        if other._inherited is not None:
            rows = np.where(rows >= 0, other._inherited[1][rows], -1)
        if source is self:
            return
        self.reset()
        if source._has_begun:
            self._inherited = source, rows

    def push(self, readings: Readings, *, is_new: bool = True) -> None:
        """Take in what an interval brought (B = 1).

        A first record in which nothing was offered is the beginning of an episode, as in training;
        one with load counts as an interval, so that no mean is taken for 0.

        Args:
            readings: of the network's demands and links.
            is_new: the interval was not taken in before; else only what is known now changes.
        """
        corrected = self.corrected
        if self._inherited is not None:
            source, rows = self._inherited
            corrected.window = source.corrected.window.carried(rows, readings)
            corrected.memory = _carried(source, rows, readings)
            corrected.ordered = _carried_orders(source, self, rows, readings)
            self._inherited, self._has_begun = None, True
        if not self._has_begun:
            corrected.start(readings)
            if readings.offered_gbps.any():
                corrected.memory = corrected.observer.update(corrected.memory, readings)
            self._has_begun = True
        elif is_new:
            corrected.push(readings)
        else:
            corrected.look_again(readings)

    def inputs(self, rates_gbps: np.ndarray) -> Given:
        """Inputs of the decision that is due, new arrays; `rates_gbps` (demands, tunnels) hold."""
        return inputs_of(self.corrected, rates_gbps[:, :, None].astype(np.float32))

    def ordering(self) -> Callable[[np.ndarray | None], tuple[Order, ...]]:
        """What makes orders of an answer about spans, (spans, 2, 1), by what is known now.

        Without an answer the orders are those of `two-bar`. It holds though telemetry goes on.
        """
        corrected, outlook = self.corrected, self.corrected.outlook

        def orders(answer: np.ndarray | None) -> tuple[Order, ...]:
            return named_orders(corrected.network, corrected.orders(answer, outlook))

        return orders


def _carried(source: PolicySession, rows: np.ndarray, readings: Readings) -> Memory:
    """What features remember, for other demands; see `PolicySession.inherit`."""
    corrected, is_new = source.corrected, rows < 0
    memory, observer = corrected.memory, corrected.observer
    means, square, excess = (
        memory.means.take(rows, 1), memory.square.take(rows, 0), memory.excess.take(rows, 0)
    )  # fmt: skip
    for place, span in enumerate(SPANS):
        weight = observer.weight(memory.seen, 1.0 - 1.0 / span)
        means[place, is_new] = readings.offered_gbps[is_new] * weight
    rhythm = memory.rhythm.take(rows, 1)
    square[is_new], excess[is_new], rhythm[:, is_new] = 0.0, 0.0, 0.0
    return Memory(memory.seen, means, square, excess, rhythm)


def _carried_orders(
    source: PolicySession, session: PolicySession, rows: np.ndarray, readings: Readings
) -> OrderMemory | None:
    """What orders remember, for other demands and spans."""
    gated, before = session.corrected.gated, source.corrected
    if gated is None:
        return None
    if before.gated is None or before.ordered is None:
        return gated.start(readings)
    return gated.carried(before.gated, before.ordered, rows, readings)


def nothing_read(network: Network) -> Readings:
    """Readings before any telemetry: capacities as built, and no load."""
    demands = np.zeros((network.n_demands, 1), np.float32)
    links = np.asarray(network.links.capacity_gbps, np.float32)[:, None]
    return Readings(
        demands, demands, demands, demands, demands, demands[:, None],
        links, links * 0, np.zeros(1), **nothing_ordered(network),
    )  # fmt: skip

"""A base allocator, what a policy sees of it, and what the policy's action makes of it.

Rates of `forecast`, and, where capacity is sold, orders of `two-bar`. ONE code for the
environments, for training and for serving; runs on NumPy and on torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.policy.constants import check_constants
from bwalloc.allocate.policy.correction import Correction
from bwalloc.allocate.policy.gated import GatedOrders, OrderMemory, Outlook
from bwalloc.allocate.rule import Context
from bwalloc.allocate.rules.forecast import Forecast
from bwalloc.arrays import Array, like, namespace
from bwalloc.observe import (
    Observer,
    Readings,
    SpanObserver,
    UsualDay,
    Window,
    even_day,
    no_history,
)

if TYPE_CHECKING:
    from bwalloc.network import Network


class CorrectedForecast:
    """The `forecast` allocator with history, features for a policy, and actions that correct it."""

    _MOVING = ("window", "memory", "readings", "base", "ordered", "outlook")

    def __init__(
        self,
        network: Network,
        tuned: Mapping[str, Mapping[str, float]],
        *,
        compiled: bool | None,
        spans: bool,
        usual: UsualDay | None = None,
    ) -> None:
        """Read the constants of `forecast`, `two-bar` and of the action; nothing is seen yet.

        Args:
            network: what it decides for.
            tuned: constants by allocator name, and the scales of the action under `action`.
            compiled: as in `Decoder`.
            spans: whether features of spans, rhythms and works to come are given.
            usual: the usual day, which orders are made by; None takes every hour to be alike.
        """
        check_constants(tuned, "constants")
        self.network = network
        self.decoder = Decoder(network, compiled=compiled)
        self.correction = Correction(tuned.get("action", {}))
        nothing = no_history(network.n_demands)
        self.asker = Forecast(Context(network, nothing, tuned.get("forecast", {})))
        self.observer = Observer(network, spans=spans)
        self.span_observer = SpanObserver(network) if spans else None
        usual = usual or even_day(network.demands.name)
        self.gated = GatedOrders(network, tuned, usual) if network.offers is not None else None
        self.ordered: OrderMemory | None = None
        self.outlook: Outlook | None = None

    def start(self, readings: Readings) -> None:
        """Begin with what is known before the first interval."""
        self.window = Window(self.asker.window)
        empty = self.observer.start(readings.offered_gbps.shape[-1])
        self.memory = _mapped(empty, lambda part: like(part, readings.offered_gbps))
        self.window.push(_measured(readings))
        if self.gated is not None:
            self.ordered = self.gated.start(on_numpy(readings))
        self._ask(readings)

    def push(self, readings: Readings) -> None:
        """Take in what an interval brought."""
        self.memory = self.observer.update(self.memory, readings)
        self.window.push(_measured(readings))
        if self.gated is not None and self.ordered is not None:
            self.ordered = self.gated.push(self.ordered, on_numpy(readings))
        self._ask(readings)

    def look_again(self, readings: Readings) -> None:
        """Take in other readings of an interval that was taken in already."""
        self._ask(readings)

    def restart(self, columns: np.ndarray, readings: Readings) -> None:
        """Forget these columns; `readings` holds, in them, what new episodes begin with."""
        self.memory = _mapped(self.memory, lambda part: _with_columns(part, part * 0, columns))
        merged = {
            each.name: _with_columns(
                getattr(self.readings, each.name), getattr(readings, each.name), columns
            )
            for each in fields(Readings)
        }
        self.window.restart(columns, _measured(readings))
        if self.gated is not None and self.ordered is not None:
            self.ordered = self.gated.restart(self.ordered, columns, on_numpy(readings))
        self._ask(Readings(**merged))

    def detach(self) -> None:
        """Cut the gradient (torch): what was seen so far counts as given."""
        self.memory, self.readings, self.base = (
            _mapped(record, lambda part: part.detach())
            for record in (self.memory, self.readings, self.base)
        )

    def features(self, rates_gbps: Array) -> dict[str, Array]:
        """What a policy sees, (features, rows, B) by kind; `rates_gbps` are the last ones."""
        features = self.observer(self.memory, self.readings, self.base.want_gbps, rates_gbps)
        if self.span_observer is None:
            return features
        outlook = self.outlook
        seen = on_numpy(self.readings) if outlook is None else outlook.readings
        rows = self.span_observer(seen, None if outlook is None else outlook.spans)
        return {**features, "spans": like(rows, self.readings.capacity_gbps)}

    def orders(
        self, action: np.ndarray | None = None, outlook: Outlook | None = None
    ) -> np.ndarray | None:
        """Orders under an action in [-1, 1] (offered, 2, B); without one those of `two-bar`.

        `outlook` is that of an earlier moment; None is now.

        Returns:
            Place in its menu of the tier each span shall have, -1 for no order, int (offered, B);
            None where nothing is sold.
        """
        outlook = outlook or self.outlook
        if self.gated is None or outlook is None:
            return None
        return self.gated.orders(outlook, _no_action(outlook) if action is None else action)

    def action_for_orders(self, wanted: np.ndarray) -> np.ndarray:
        """The action that orders what is `wanted`; see `GatedOrders.action_for`."""
        assert self.gated is not None
        assert self.outlook is not None
        return self.gated.action_for(self.outlook, wanted)

    def rates_gbps(self, action: Array, capacity_gbps: Array | None = None) -> Array:
        """Feasible rates under an action in [-1, 1], (demands, 3 + tunnels, B).

        `capacity_gbps` stands in for that of the readings, (links, B).
        """
        room = self.readings.capacity_gbps if capacity_gbps is None else capacity_gbps
        return self.decoder(self.correction(self.base, action), room)

    def get_state(self) -> dict[str, Any]:
        """Everything that changes, by reference; nothing before `start`."""
        return {name: value for name, value in vars(self).items() if name in self._MOVING}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` gave."""
        vars(self).update(state)

    def _ask(self, readings: Readings) -> None:
        self.readings = readings
        if self.gated is not None and self.ordered is not None:
            self.outlook = self.gated.outlook(self.ordered, on_numpy(readings))
        level = np.asarray(self.asker.level_gbps(self.window), np.float32)
        self.base: Ask = self.asker.ask_for(like(level, readings.offered_gbps), readings)


def on_numpy(readings: Readings) -> Readings:
    """`readings` as they are on NumPy, or as given numbers without a gradient (torch)."""
    if namespace(readings.offered_gbps) is np:
        return readings
    return _mapped(readings, _given)


def _given(part: Array) -> np.ndarray:
    return part if namespace(part) is np else part.detach().cpu().numpy()


def _no_action(outlook: Outlook) -> np.ndarray:
    offered, batch = outlook.spans.load_gbps.shape
    return np.zeros((offered, 2, batch), np.float32)


def _measured(readings: Readings) -> Readings:
    """`readings` as the window takes them: what was offered on NumPy (no action moves it)."""
    if namespace(readings.offered_gbps) is np:
        return readings
    return replace(readings, offered_gbps=readings.offered_gbps.detach().cpu().numpy())


def _mapped(record: Any, change: Callable[[Array], Array]) -> Any:
    return type(record)(*(change(getattr(record, each.name)) for each in fields(record)))


def _with_columns(values: Array, others: Array, columns: np.ndarray) -> Array:
    merged = values + 0
    merged[..., columns] = others[..., columns]
    return merged

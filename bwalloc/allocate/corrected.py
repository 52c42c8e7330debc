"""A base allocator, what a policy sees of it, and what the policy's action makes of it.

ONE code for the environments, for training and for serving; runs on NumPy and on torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.constants import check_constants
from bwalloc.allocate.correction import Correction
from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.forecast import Forecast
from bwalloc.allocate.rule import Context
from bwalloc.arrays import Array, like, namespace
from bwalloc.observe import Observer, Readings, Window, no_history

if TYPE_CHECKING:
    from bwalloc.network import Network


class CorrectedForecast:
    """The `forecast` allocator with history, features for a policy, and actions that correct it."""

    _MOVING = ("window", "memory", "readings", "base")

    def __init__(
        self, network: Network, tuned: Mapping[str, Mapping[str, float]], *, compiled: bool | None
    ) -> None:
        """Read the constants of `forecast` and of the action; nothing is seen yet.

        Args:
            network: what it decides for.
            tuned: constants by allocator name, and the scales of the action under `action`.
            compiled: as in `Decoder`.
        """
        check_constants(tuned, "constants")
        self.network = network
        self.decoder = Decoder(network, compiled=compiled)
        self.correction = Correction(tuned.get("action", {}))
        nothing = no_history(network.n_demands)
        self.asker = Forecast(Context(network, nothing, tuned.get("forecast", {})))
        self.observer = Observer(network)

    def start(self, readings: Readings) -> None:
        """Begin with what is known before the first interval."""
        self.window = Window(self.asker.window)
        empty = self.observer.start(readings.offered_gbps.shape[-1])
        self.memory = _mapped(empty, lambda part: like(part, readings.offered_gbps))
        self.window.push(_measured(readings))
        self._ask(readings)

    def push(self, readings: Readings) -> None:
        """Take in what an interval brought."""
        self.memory = self.observer.update(self.memory, readings)
        self.window.push(_measured(readings))
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
        self._ask(Readings(**merged))

    def detach(self) -> None:
        """Cut the gradient (torch): what was seen so far counts as given."""
        self.memory, self.readings, self.base = (
            _mapped(record, lambda part: part.detach())
            for record in (self.memory, self.readings, self.base)
        )

    def features(self, rates_gbps: Array) -> dict[str, Array]:
        """What a policy sees, (features, rows, B) by kind; `rates_gbps` are the last ones."""
        return self.observer(self.memory, self.readings, self.base.want_gbps, rates_gbps)

    def rates_gbps(self, action: Array) -> Array:
        """Feasible rates under an action in [-1, 1], (demands, 3 + tunnels, B)."""
        return self.decoder(self.correction(self.base, action), self.readings.capacity_gbps)

    def get_state(self) -> dict[str, Any]:
        """Everything that changes, by reference; nothing before `start`."""
        return {name: value for name, value in vars(self).items() if name in self._MOVING}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` gave."""
        vars(self).update(state)

    def _ask(self, readings: Readings) -> None:
        self.readings = readings
        level = np.asarray(self.asker.level_gbps(self.window), np.float32)
        self.base: Ask = self.asker.ask_for(like(level, readings.offered_gbps), readings)


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

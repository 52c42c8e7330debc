"""A batch of episodes of one scenario driven by actions: what both environments adapt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate import Ask, Decoder
from bwalloc.allocate.correction import Correction, action_shape
from bwalloc.allocate.forecast import Forecast
from bwalloc.allocate.rule import Context
from bwalloc.gym.spaces import masks_of, padded
from bwalloc.money import net_usd
from bwalloc.observe import Observer, Readings, Window, no_history, restarted
from bwalloc.sim import Episodes, Flows, Simulator

if TYPE_CHECKING:
    from bwalloc.observe import Memory
    from bwalloc.scenario import Scenario, World
    from bwalloc.sim import State

OVERRUN_GBPS = 1e-3
"""Gbit/s above capacity from which a decision counts as a violation: more than float32 rounding."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one interval brought, batch last.

    `reward` is USD / `reward_scale_usd`, float64 (B,); `terms` are USD; `violations` int (B,);
    `is_last` says whose episode has ended, bool (B,).
    """

    reward: np.ndarray
    terms: dict[str, np.ndarray]
    flows: Flows
    violations: np.ndarray
    is_last: np.ndarray


class Engine:
    """Simulator, history, base allocator and features of a batch of episodes.

    Everything that changes is in `_MOVING`; the rest holds constants.
    """

    _MOVING = ("state", "readings", "episodes", "window", "memory", "base")

    def __init__(self, scenario: Scenario, batch: int, *, threads: int = 1) -> None:
        """Build for `batch` columns; `restart` all of them before the first step."""
        network, tuned = scenario.network, scenario.tuned
        self.scenario, self.batch = scenario, batch
        self.simulator = Simulator(scenario, threads=threads)
        self.decoder = Decoder(network)
        self.correction = Correction(tuned.get("action", {}))
        history = no_history(network.n_demands)
        self.asker = Forecast(Context(network, history, tuned.get("forecast", {})))
        self.observer = Observer(network)
        self.masks = masks_of(network, scenario.sizes)
        self.by_class = _classes(network.demands.traffic_class)
        self.state: State = self.simulator.start(batch)
        self.window = Window(self.asker.window)
        self.memory: Memory = self.observer.start(batch)
        self.episodes: Episodes | None = None
        self.readings: Readings | None = None
        self.base: Ask | None = None

    @property
    def intervals(self) -> int:
        """Steps of an episode."""
        return self.scenario.timing.intervals

    def restart(self, columns: np.ndarray, worlds: Sequence[World]) -> None:
        """Begin new episodes in these columns; the others go on.

        All columns at once begin as at first, so that a seed gives the same episode to the last
        bit whatever was played before.
        """
        if self.episodes is None or len(columns) == self.batch:
            self.state = self.simulator.start(self.batch)
            self.window, self.memory = Window(self.asker.window), self.observer.start(self.batch)
            self.episodes = Episodes(worlds)
            self.readings = self.simulator.first_readings(self.state, self.episodes)
            self.window.push(self.readings)
        else:
            self._forget(columns, worlds)
        self._ask()

    def step(self, actions: np.ndarray) -> Outcome:
        """Play one interval under actions in [-1, 1], (B, padded demands x (3 + tunnels))."""
        sizes = self.scenario.sizes
        rows = actions.reshape(self.batch, *action_shape(sizes.demands, sizes.tunnels))
        network = self.scenario.network
        demands, columns = action_shape(network.n_demands, network.n_tunnels)
        used = np.ascontiguousarray(rows[:, :demands, :columns].transpose(1, 2, 0))
        return self.play(self.correction(self.base, used))  # pyright: ignore[reportArgumentType]

    def play(self, ask: Ask) -> Outcome:
        """Play one interval of what is asked."""
        assert self.episodes is not None
        assert self.readings is not None
        rates = self.decoder(ask, self.readings.capacity_gbps)
        step = self.simulator.step(self.state, rates, self.episodes)
        self.state, self.readings = step.state, step.readings
        self.window.push(step.readings)
        self.memory = self.observer.update(self.memory, step.readings)
        self._ask()
        interval_s = self.scenario.timing.interval_s
        return Outcome(
            reward=net_usd(step.terms) / self.scenario.reward_scale_usd,
            terms=step.terms,
            flows=step.flows,
            violations=(step.overrun_gbit > OVERRUN_GBPS * interval_s).astype(np.int64),
            is_last=step.state.interval >= self.intervals,
        )

    def observe(self) -> dict[str, np.ndarray]:
        """The observation of every column, (B, rows x features) and masks (B, rows); new arrays."""
        assert self.base is not None
        assert self.readings is not None
        features = self.observer(
            self.memory, self.readings, self.base.want_gbps, self.state.rates_gbps
        )
        observation = padded(features, self.scenario.network, self.scenario.sizes)
        for name, mask in self.masks.items():
            observation[name] = np.tile(mask, (self.batch, 1))
        return observation

    def get_state(self) -> dict[str, Any]:
        """Everything that changes, by reference: copy it before stepping on."""
        return {name: getattr(self, name) for name in self._MOVING}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_state` gave."""
        for name in self._MOVING:
            setattr(self, name, state[name])

    def _ask(self) -> None:
        assert self.readings is not None
        self.base = self.asker.ask(self.window, self.readings)

    def _forget(self, columns: np.ndarray, worlds: Sequence[World]) -> None:
        assert self.episodes is not None
        assert self.readings is not None
        for column, world in zip(columns, worlds, strict=True):
            self.episodes.replace(int(column), world)
        for name in ("interval", "queued_gbit", "busy_s", "rates_gbps"):
            getattr(self.state, name)[..., columns] = 0
        first = self.simulator.first_readings(self.state, self.episodes)
        self.readings = _with_columns(self.readings, first, columns)
        self.window.restart(columns, self.readings)
        self.memory = restarted(self.memory, columns)


def _with_columns(readings: Readings, other: Readings, columns: np.ndarray) -> Readings:
    merged: dict[str, np.ndarray] = {}
    for field in fields(Readings):
        merged[field.name] = getattr(readings, field.name).copy()
        merged[field.name][..., columns] = getattr(other, field.name)[..., columns]
    return Readings(**merged)


def _classes(traffic_class: tuple[str, ...]) -> dict[str, np.ndarray]:
    names = np.array(traffic_class)
    return {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(traffic_class)}

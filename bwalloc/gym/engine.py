"""A batch of episodes of one scenario driven by actions: what both environments adapt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.limits import violations
from bwalloc.allocate.policy.corrected import CorrectedForecast
from bwalloc.allocate.policy.correction import action_shape
from bwalloc.gym.spaces import masks_of, n_sold, padded, split_action
from bwalloc.money import net_usd
from bwalloc.observe import usual_day
from bwalloc.sim import Episodes, Flows, Simulator

if TYPE_CHECKING:
    from bwalloc.allocate import Ask
    from bwalloc.observe import Readings
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
    """Simulator, base allocator with its history and features, and worlds of a batch of episodes.

    `state`, `episodes` and what `corrected` remembers change; the rest holds constants.
    """

    def __init__(self, scenario: Scenario, batch: int, *, threads: int = 1) -> None:
        """Build for `batch` columns; `restart` all of them before the first step."""
        network = scenario.network
        self.scenario, self.batch = scenario, batch
        self.simulator = Simulator(scenario, threads=threads, declares=False)
        self.corrected = CorrectedForecast(
            network, scenario.tuned, compiled=None, usual=usual_day(scenario),
            spans=scenario.sizes.sees_everything,
        )  # fmt: skip
        self.masks = masks_of(network, scenario.sizes)
        self.classes, self.members = _classes(network.demands.traffic_class)
        self.state: State = self.simulator.start(batch)
        self.episodes: Episodes | None = None

    @property
    def intervals(self) -> int:
        """Steps of an episode."""
        return self.scenario.timing.intervals

    @property
    def readings(self) -> Readings:
        """Telemetry of the interval before; there is none before the first `restart`."""
        return self.corrected.readings

    @property
    def base(self) -> Ask:
        """What the base allocator asks for the coming interval."""
        return self.corrected.base

    def restart(self, columns: np.ndarray, worlds: Sequence[World]) -> None:
        """Begin new episodes in these columns; the others go on.

        All columns at once begin as at first, so that a seed gives the same episode to the last
        bit whatever was played before.
        """
        if self.episodes is None or len(columns) == self.batch:
            self.state = self.simulator.start(self.batch)
            self.episodes = Episodes(worlds)
            self.corrected.start(self.simulator.first_readings(self.state, self.episodes))
            return
        for column, world in zip(columns, worlds, strict=True):
            self.episodes.replace(int(column), world)
        fresh = self.simulator.start(len(columns))
        for each in fields(fresh):
            getattr(self.state, each.name)[..., columns] = getattr(fresh, each.name)
        first = self.simulator.first_readings(self.state, self.episodes)
        self.corrected.restart(columns, first)

    def step(self, actions: np.ndarray) -> Outcome:
        """Play one interval under actions in [-1, 1], (B, numbers), as `action_space` has them."""
        assert self.episodes is not None
        network = self.scenario.network
        rows, about = split_action(actions, self.scenario.sizes)
        demands, columns = action_shape(network.n_demands, network.n_tunnels)
        used = np.ascontiguousarray(rows[:, :demands, :columns].transpose(1, 2, 0))
        rates = self.corrected.rates_gbps(used)
        orders = self.corrected.orders(about[:, : n_sold(network)].transpose(1, 2, 0))
        step = self.simulator.step(self.state, rates, self.episodes, orders)
        broken = self._broken(rates, step.overrun_gbit)
        self.state = step.state
        self.corrected.push(step.readings)
        return Outcome(
            reward=net_usd(step.terms) / self.scenario.reward_scale_usd,
            terms=step.terms,
            flows=step.flows,
            violations=broken,
            is_last=step.state.interval >= self.intervals,
        )

    def _broken(self, rates_gbps: np.ndarray, overrun_gbit: np.ndarray) -> np.ndarray:
        """Violations of each decision, (B,); what nobody could know of is none."""
        network = self.scenario.network
        has_floors, plane = network.demands.floor_gbps.any(), self.scenario.enforcement
        if self.scenario.failures is None and not has_floors and not plane.changes_rates:
            least = OVERRUN_GBPS * self.scenario.timing.interval_s
            return (overrun_gbit > least).astype(np.int64)
        return violations(network, rates_gbps, self.readings.capacity_gbps)

    def observe(self) -> dict[str, np.ndarray]:
        """The observation of every column, (B, rows x features) and masks (B, rows); new arrays."""
        features = self.corrected.features(self.state.rates_gbps)
        observation = padded(features, self.scenario.network, self.scenario.sizes)
        for name, mask in self.masks.items():
            observation[name] = np.tile(mask, (self.batch, 1))
        return observation

    def get_state(self) -> dict[str, Any]:
        """Everything that changes, by reference: copy it before stepping on."""
        kept = {"state": self.state, "episodes": self.episodes}
        return kept | {"corrected": self.corrected.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_state` gave."""
        self.state, self.episodes = state["state"], state["episodes"]
        self.corrected.set_state(state["corrected"])


def _classes(traffic_class: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """Names of the classes, and 1 where a demand is of one, float32 (classes, demands)."""
    classes = list(dict.fromkeys(traffic_class))
    members = np.array(classes)[:, None] == np.array(traffic_class)[None]
    return classes, members.astype(np.float32)

"""Episodes on torch, through which gradients flow: the simulator's own dynamics and decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bwalloc.allocate.corrected import CorrectedForecast
from bwalloc.money import net_usd
from bwalloc.observe import Readings
from bwalloc.scenario import WorldsAhead
from bwalloc.sim import Episodes, Simulator, State
from bwalloc.sim.changes import Change
from bwalloc.sim.dynamics import Load

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario

SPLIT = "train"


class Unroll:
    """A batch of training episodes, staggered, stepped under actions of a policy.

    Args:
        scenario: the environment.
        batch: number of episodes.
        cut: intervals between two calls of `detach`; episodes begin and end there.
        seed: number of the first episode; later ones count up.
        device: of the tensors.
        smooth_gbit: as in `Simulator`.
    """

    def __init__(
        self,
        scenario: Scenario,
        batch: int,
        *,
        cut: int,
        seed: int,
        device: str = "cpu",
        smooth_gbit: float = 0.0,
    ) -> None:
        """Begin all episodes, each at another hour of its clock."""
        self.scenario, self.cut, self.device = scenario, cut, torch.device(device)
        self.simulator = Simulator(
            scenario, compiled=False, smooth_gbit=smooth_gbit, declares=False
        )
        self.corrected = CorrectedForecast(scenario.network, scenario.tuned, compiled=False)
        self.worlds, self.next_seed = WorldsAhead(scenario), seed
        self.episodes = Episodes([self._world() for _ in range(batch)])
        chunks = scenario.timing.intervals // cut
        self.interval = (np.arange(batch) * chunks // batch) * cut
        start = self.simulator.start(batch)
        self.state = State(*(self._tensor(getattr(start, name)) for name in State.__slots__))
        self.corrected.start(self._readings(self.simulator.first_readings(start, self.episodes)))

    @property
    def is_counted(self) -> torch.Tensor:
        """1 for the episodes whose coming interval counts, 0 in their warm-up, (B,)."""
        return self._tensor(
            (self.interval >= self.scenario.timing.warmup_intervals) * np.float32(1)
        )

    def features(self) -> dict[str, torch.Tensor]:
        """What the policy sees now; gradients flow to the actions before."""
        return self.corrected.features(self.state.rates_gbps)

    def step(self, action: torch.Tensor) -> torch.Tensor:
        """Play one interval; returns the money of each episode in USD, (B,)."""
        load = self.episodes.load(self.interval)
        jobs = None if load.jobs_gbit is None else self._tensor(load.jobs_gbit)
        capacity = self._tensor(self.episodes.capacity_gbps(self.interval))
        step = self.simulator.advance(
            self.state,
            self.corrected.rates_gbps(action),
            Load(self._tensor(load.arrivals_gbit), jobs),
            capacity,
            self._tensor(self.episodes.start_h),
            self._change(),
        )
        self.state, self.interval = step.state, self.interval + 1
        self.corrected.push(step.readings)
        return net_usd(step.terms)

    def detach(self) -> None:
        """Cut the gradient, and begin new episodes where one has ended."""
        self.state = State(*(getattr(self.state, name).detach() for name in State.__slots__))
        self.corrected.detach()
        over = np.flatnonzero(self.interval + self.cut > self.scenario.timing.intervals)
        if over.size:
            self._begin(over)

    def _begin(self, columns: np.ndarray) -> None:
        for column in columns:
            self.episodes.replace(int(column), self._world())
        self.interval[columns] = 0
        fresh = self.simulator.start(len(columns))
        for name in State.__slots__:
            getattr(self.state, name)[..., columns] = self._tensor(getattr(fresh, name))
        batch = len(self.interval)
        first = self.simulator.first_readings(self.simulator.start(batch), self.episodes)
        self.corrected.restart(columns, self._readings(first))

    def _world(self) -> Any:
        world = self.worlds.take(SPLIT, self.next_seed)
        self.next_seed += 1
        self.worlds.order(SPLIT, self.next_seed)
        return world

    def _change(self) -> Change | None:
        """How capacities change in the coming interval; the edges of its parts stay on NumPy."""
        change = self.episodes.change(self.interval)
        if change is None:
            return None
        rooms = (change.before_gbps, change.coming_gbps, change.announced_gbps)
        return Change(change.since, *(self._tensor(room) for room in rooms))

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, device=self.device)

    def _readings(self, readings: Readings) -> Readings:
        return Readings(*(self._tensor(getattr(readings, name)) for name in Readings.__slots__))

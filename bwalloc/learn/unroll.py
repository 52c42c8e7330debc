"""Episodes on torch, through which gradients flow: the simulator's own dynamics and decoder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bwalloc.allocate.policy.corrected import CorrectedForecast
from bwalloc.learn.soft_ports import STEEPNESS, SoftPorts
from bwalloc.money import net_usd
from bwalloc.observe import Readings, usual_day
from bwalloc.scenario import WorldsAhead
from bwalloc.sim import Episodes, Simulator, State
from bwalloc.sim.changes import Change
from bwalloc.sim.dynamics import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bwalloc.scenario import Scenario

SPLIT = "train"


class Unroll:
    """A batch of training episodes, staggered, stepped under actions of a policy.

    Args:
        scenario: the environment.
        batch: number of episodes.
        cut: intervals between two calls of `detach`; episodes begin and end there.
        seeds: numbers of the episodes; one is taken ahead, to be drawn while others are played.
        device: of the tensors.
        smooth_gbit: as in `Simulator`.
        sees_everything: as the policy does; by default as policies of the environment do.
        steepness, wait: of orders; see `SoftPorts`.
    """

    def __init__(
        self,
        scenario: Scenario,
        batch: int,
        *,
        cut: int,
        seeds: Iterator[int],
        device: str = "cpu",
        smooth_gbit: float = 0.0,
        sees_everything: bool | None = None,
        steepness: float | None = STEEPNESS,
        wait: int | None = None,
    ) -> None:
        """Begin all episodes, each at another hour of its clock."""
        self.scenario, self.cut, self.device = scenario, cut, torch.device(device)
        self.simulator = Simulator(
            scenario, compiled=False, smooth_gbit=smooth_gbit, declares=False
        )
        self.corrected = CorrectedForecast(
            scenario.network, scenario.tuned, compiled=False, usual=usual_day(scenario),
            spans=scenario.sizes.sees_everything if sees_everything is None else sees_everything,
        )  # fmt: skip
        self.worlds, self.seeds = WorldsAhead(scenario), seeds
        self.next_seed = earliest = next(seeds)
        self.episodes = Episodes([self._world() for _ in range(batch)])
        chunks = scenario.timing.intervals // cut
        self.interval = (np.arange(batch) * chunks // batch) * cut
        start = self.simulator.start(batch)
        self.state = State(*(self._tensor(getattr(start, name)) for name in State.__slots__))
        self.state = replace(self.state, interval=self._tensor(self.interval.copy()))
        first = self._readings(self.simulator.first_readings(start, self.episodes))
        hours = self.interval * scenario.timing.interval_s / 3600.0
        first = replace(first, hour_of_week=first.hour_of_week + self._tensor(hours))
        self.ports: SoftPorts | None = None
        if scenario.network.offers is not None:
            self.ports = SoftPorts(
                scenario, self.corrected, batch, seed=earliest, device=self.device,
                steepness=steepness, wait=wait,
            )  # fmt: skip
            self._widen(self.ports)
            self.known = self._tensor(self.episodes.known_gbps(self.interval))
        self.corrected.start(first)

    @property
    def is_counted(self) -> torch.Tensor:
        """1 for the episodes whose coming interval counts, 0 in their warm-up, (B,)."""
        return self._tensor(
            (self.interval >= self.scenario.timing.warmup_intervals) * np.float32(1)
        )

    def features(self) -> dict[str, torch.Tensor]:
        """What the policy sees now; gradients flow to the actions before."""
        return self.corrected.features(self.state.rates_gbps)

    def step(self, action: torch.Tensor, about: torch.Tensor | None = None) -> torch.Tensor:
        """Play one interval; returns the money of each episode in USD, (B,).

        Args:
            action: (demands, 3 + tunnels, B).
            about: of spans, (spans, 2, B); where capacity is sold and it is None, as `two-bar`.
        """
        if self.ports is not None:
            return self._step_ordering(self.ports, action, about)
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

    def _step_ordering(
        self, ports: SoftPorts, action: torch.Tensor, about: torch.Tensor | None
    ) -> torch.Tensor:
        """`step` where capacity is sold."""
        corrected, outlook = self.corrected, self.corrected.outlook
        assert outlook is not None
        if about is None:
            about = action.new_zeros((len(outlook.spans.load_gbps), 2, len(self.interval)))
        ports.order(outlook, about)
        load, change = self.episodes.load(self.interval), self._change()
        scale = ports.room(self._most_gbps(load))
        room = self._tensor(self.episodes.capacity_gbps(self.interval))
        coming, announced = (
            (room, room) if change is None else (change.coming_gbps, change.announced_gbps)
        )
        if change is not None:
            change = replace(change, before_gbps=change.before_gbps * scale)
        step = self.simulator.advance(
            self.state,
            corrected.rates_gbps(action, self.known * scale),
            Load(*(part if part is None else self._tensor(part) for part in _parts(load))),
            room * scale,
            self._tensor(self.episodes.start_h),
            change,
        )
        bill = ports.settle(self.interval)
        self.state, self.interval, self.known = step.state, self.interval + 1, coming
        corrected.push(ports.told(step.readings, self.interval, (coming, announced)))
        return net_usd(step.terms) - bill

    def _most_gbps(self, load: Load) -> np.ndarray:
        """The most each demand may send in an interval, NumPy (demands, B)."""
        timing = self.scenario.timing
        waiting = self.state.queued_gbit.detach().sum(1).cpu().numpy()
        if load.jobs_gbit is not None:
            waiting = waiting + load.jobs_gbit.sum(1)
        return load.arrivals_gbit.max(0) / timing.substep_s + waiting / timing.interval_s

    def _widen(self, ports: SoftPorts) -> None:
        """Let the simulator take capacities as they come: its own tiers are the largest ones."""
        self.state.ports[0] = self._tensor(ports.largest)[:, None]

    def detach(self) -> None:
        """Cut the gradient, and begin new episodes where one has ended."""
        self.state = State(*(getattr(self.state, name).detach() for name in State.__slots__))
        self.corrected.detach()
        if self.ports is not None:
            self.ports.detach()
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
        if self.ports is not None:
            self._widen(self.ports)
            self.ports.begin(columns)
            known = self._tensor(self.episodes.known_gbps(self.interval))
            self.known = self.known.detach().clone()
            self.known[:, columns] = known[:, columns]
        self.corrected.restart(columns, self._readings(first))

    def _world(self) -> Any:
        world = self.worlds.take(SPLIT, self.next_seed)
        self.next_seed = next(self.seeds)
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


def _parts(load: Load) -> tuple[Any, Any]:
    return load.arrivals_gbit, load.jobs_gbit

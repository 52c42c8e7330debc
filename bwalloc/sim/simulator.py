"""The simulator: a batch of episodes of one scenario, advanced one interval at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.arrays import namespace
from bwalloc.observe import Readings
from bwalloc.sim.backends import Backend, make_backend
from bwalloc.sim.changes import Change, OutageColumns
from bwalloc.sim.declared import Declarations
from bwalloc.sim.dynamics import Load, Measured
from bwalloc.sim.physics import build_physics
from bwalloc.sim.ports import Fates, PortFlows, PortLaw
from bwalloc.sim.state import Flows, State
from bwalloc.sim.stretches import Stretch, play_stretches, stretches_of
from bwalloc.sim.terms import MoneyTerms

if TYPE_CHECKING:
    from bwalloc.arrays import Array
    from bwalloc.scenario import Scenario, World


@dataclass(frozen=True, slots=True)
class Step:
    """What one interval did: the next state, the flows, the money and what was measured.

    `terms` are USD per episode, (B,); `overrun_gbit` is what failed links could not carry, (B,);
    `ports` is what became of tiers and orders, None where nothing is sold.
    """

    state: State
    flows: Flows
    terms: dict[str, Array]
    overrun_gbit: Array
    readings: Readings
    ports: PortFlows | None = None


class Episodes:
    """The worlds of a batch, stacked; one column per episode."""

    def __init__(self, worlds: Sequence[World]) -> None:
        """Stack `worlds`, all of one scenario."""
        self.arrivals = np.stack([world.arrivals_gbit for world in worlds])
        self.capacity = np.stack([world.capacity_gbps for world in worlds]).astype(np.float32)
        self.start_h = np.array([world.start_h for world in worlds])
        has_jobs = worlds[0].jobs_gbit is not None
        self.jobs = np.stack([world.jobs_gbit for world in worlds]) if has_jobs else None  # pyright: ignore[reportArgumentType, reportCallIssue]
        self._steady_gbps = self._steady()
        fails = worlds[0].outages is not None
        self.outages = OutageColumns(worlds) if fails else None
        self.fates = _fates(worlds) if worlds[0].fates is not None else None

    def replace(self, column: int, world: World) -> None:
        """Put a new world into one column."""
        self.arrivals[column] = world.arrivals_gbit
        self.capacity[column] = world.capacity_gbps
        self.start_h[column] = world.start_h
        if self.jobs is not None:
            self.jobs[column] = world.jobs_gbit
        if self.outages is not None:
            self.outages.replace(column, world)
        if self.fates is not None:
            for mine, new in zip(self.fates, _fates([world]), strict=True):
                mine[column] = new[0]
        steady, mine = self._steady_gbps, self.capacity[column]
        if steady is None or not (mine == steady[:, column]).all():
            self._steady_gbps = self._steady()

    def load(self, interval: np.ndarray) -> Load:
        """What arrives in the given interval of each column, batch last."""
        columns = np.arange(len(interval))
        arrivals = self.arrivals[columns, interval]
        jobs = None
        if self.jobs is not None:
            jobs = np.ascontiguousarray(self.jobs[columns, interval].transpose(1, 2, 0))
        return Load(np.ascontiguousarray(arrivals.transpose(1, 2, 0)), jobs)

    def capacity_gbps(self, interval: np.ndarray) -> np.ndarray:
        """What each link can carry at the end of the given interval, (links, B).

        Where no capacity ever changes it is the same array each time, not to be written.
        """
        if self._steady_gbps is not None:
            return self._steady_gbps
        return np.ascontiguousarray(self.capacity[np.arange(len(interval)), interval].T)

    def fates_of(self, interval: np.ndarray) -> Fates | None:
        """What becomes of orders placed before the given interval of each column."""
        if self.fates is None:
            return None
        wait, is_refused, price_factor = self.fates
        columns = np.arange(len(interval))
        waits, refusals = (
            np.ascontiguousarray(part[columns, interval].transpose(1, 2, 0))
            for part in (wait, is_refused)
        )
        return Fates(waits, refusals, price_factor)

    def known_gbps(self, interval: np.ndarray) -> np.ndarray:
        """What telemetry before the given interval lets count on for it, (links, B)."""
        if self.outages is None:
            return self.capacity_gbps(interval)
        return self.outages.known(interval)

    def announced_gbps(self, interval: np.ndarray) -> np.ndarray:
        """What announced works leave in the hour from the given interval on, (links, B)."""
        if self.outages is None:
            return self.capacity_gbps(interval)
        return self.outages.announced(interval)

    def change(self, interval: np.ndarray) -> Change | None:
        """How capacities change in the given interval of each column; None where links never do."""
        return None if self.outages is None else self.outages.change(interval)

    def _steady(self) -> np.ndarray | None:
        """Capacities that hold in all intervals, (links, B), or None."""
        if (self.capacity != self.capacity[:, :1]).any():
            return None
        return np.ascontiguousarray(self.capacity[:, 0].T)


def _fates(worlds: Sequence[World]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Waits and refusals, (B, intervals, offered, tiers), and factors of prices, (B,)."""
    fates = [world.fates for world in worlds if world.fates is not None]
    return (
        np.stack([each.wait for each in fates]),
        np.stack([each.is_refused for each in fates]).astype(np.int64),
        np.array([each.price_factor for each in fates]),
    )


class Simulator:
    """Fluid simulator of a scenario; holds constants only, so one instance serves any batch.

    Args:
        scenario: the environment.
        compiled: use the compiled twin of the queue step; None uses it when numba is there.
        threads: threads of the compiled twin.
        smooth_gbit: work over which the steps of the law (a group that holds any work stalls) are
            smoothed, for gradients; 0 is the law. The array form only.
        declares: whether readings tell declared work (see `sim.declared`), on NumPy.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        compiled: bool | None = None,
        threads: int = 1,
        smooth_gbit: float = 0.0,
        declares: bool = True,
    ) -> None:
        """Collect the constants."""
        self.scenario = scenario
        self.physics = build_physics(scenario, smooth_gbit)
        self.terms = MoneyTerms(scenario)
        self.ports = None if scenario.network.offers is None else PortLaw(scenario)
        self.declarations = Declarations(scenario) if declares else None
        self.backend: Backend = make_backend(self.physics, compiled=compiled, threads=threads)

    def start(self, batch: int) -> State:
        """Empty queues, no rates, first tiers."""
        demands, tunnels = self.physics.shape
        slots = self.scenario.slots.count
        return State(
            interval=np.zeros(batch, np.int64),
            queued_gbit=np.zeros((demands, slots, batch), np.float32),
            busy_s=np.zeros((demands, batch), np.float32),
            rates_gbps=np.zeros((demands, tunnels, batch), np.float32),
            ports=np.zeros((5, 0, batch), np.int64)
            if self.ports is None
            else self.ports.start(batch),
            kept_gbit=np.zeros((demands * tunnels * self.physics.has_bursts, batch), np.float32),
        )

    def step(
        self, state: State, rates_gbps: Array, episodes: Episodes, orders: Array | None = None
    ) -> Step:
        """Play one interval of every column.

        Args:
            state: before it.
            rates_gbps: (demands, tunnels, B).
            episodes: what happens.
            orders: place in its menu of the tier that each span shall have, -1 for no order, int
                (offered, B); see `Network.offers`.
        """
        return self.advance(
            state,
            rates_gbps,
            episodes.load(state.interval),
            episodes.capacity_gbps(state.interval),
            episodes.start_h,
            episodes.change(state.interval),
            orders,
            episodes.fates_of(state.interval),
        )

    def advance(
        self,
        state: State,
        rates_gbps: Array,
        load: Load,
        capacity_gbps: Array,
        start_h: Array,
        change: Change | None = None,
        orders: Array | None = None,
        fates: Fates | None = None,
    ) -> Step:
        """`step` on explicit arrivals and capacity; runs on NumPy and on torch.

        Capacities are those of the largest tiers; spans that are sold have theirs of the state.
        """
        coming = capacity_gbps if change is None else change.coming_gbps
        announced = coming if change is None else change.announced_gbps
        capacity_gbps, change = self.in_tiers(state, capacity_gbps, change)
        stretches = self.stretches(state, rates_gbps, capacity_gbps, change)
        held, flows, overrun, measured = play_stretches(
            self.backend, self.physics, stretches, state, load
        )
        ports, ported, bill = state.ports, None, 0.0
        if self.ports is not None and fates is not None:
            ports, ported = self.ports.settle(state.ports, orders, fates, state.interval)
            scale, bill = self.ports.scale(ports, coming), ported.bill_usd.sum(0)
            coming, announced = coming * scale, announced * scale
        queued, busy, kept = held
        after = State(state.interval + 1, queued, busy, rates_gbps, ports, kept)
        return Step(
            state=after,
            flows=flows,
            terms=self.terms(state, flows, after, bill),
            overrun_gbit=overrun * self.scenario.timing.interval_s,
            readings=self._readings(after, flows, measured, (coming, announced), start_h),
            ports=ported,
        )

    def in_tiers(
        self, state: State, capacity_gbps: Array, change: Change | None
    ) -> tuple[Array, Change | None]:
        """Capacities of the largest tiers as those of the tiers that are active."""
        if self.ports is None:
            return capacity_gbps, change
        scale = self.ports.scale(state.ports, capacity_gbps)
        if change is not None:
            change = replace(change, before_gbps=change.before_gbps * scale)
        return capacity_gbps * scale, change

    def stretches(
        self, state: State, rates_gbps: Array, capacity_gbps: Array, change: Change | None
    ) -> list[Stretch]:
        """The coming interval in stretches, under capacities of the tiers that are active."""
        return stretches_of(self.physics, state.rates_gbps, rates_gbps, capacity_gbps, change)

    def first_readings(self, state: State, episodes: Episodes) -> Readings:
        """What is known before the first interval: capacities, and nothing offered yet."""
        nothing = state.busy_s * 0
        capacity, _ = self.in_tiers(state, episodes.known_gbps(state.interval), None)
        announced, _ = self.in_tiers(state, episodes.announced_gbps(state.interval), None)
        return Readings(
            nothing, nothing, nothing, nothing, nothing, state.queued_gbit,
            capacity, capacity * 0, episodes.start_h,
            **self._spans(state, capacity), **self._announced(capacity, announced),
            **self._declared(state, capacity),
        )  # fmt: skip

    def _spans(self, state: State, capacity_gbps: Array) -> dict[str, Array]:
        """Fields of `Readings` about tiers, (offered, B)."""
        if self.ports is None:
            nothing = capacity_gbps[:0]
            return {"tier_gbps": nothing, "pending_gbps": nothing, "paid_left_s": nothing}
        return self.ports.telemetry(state.ports, state.interval, capacity_gbps)

    def _readings(
        self,
        state: State,
        flows: Flows,
        measured: Measured,
        rooms_gbps: tuple[Array, Array],
        start_h: Array,
    ) -> Readings:
        """Telemetry; rooms are what is known of the interval and of the hour to come."""
        capacity_gbps, announced_gbps = rooms_gbps
        hours = self.scenario.timing.interval_s / 3600.0
        return Readings(
            offered_gbps=measured.offered_gbps,
            recent_gbps=measured.recent_gbps,
            peak_gbps=measured.peak_gbps,
            served_gbit=flows.served_gbit,
            expired_gbit=flows.expired_gbit,
            queued_gbit=state.queued_gbit,
            capacity_gbps=capacity_gbps,
            carried_gbps=measured.carried_gbps,
            hour_of_week=(start_h + state.interval * hours) % 168.0,
            **self._spans(state, capacity_gbps),
            **self._announced(capacity_gbps, announced_gbps),
            **self._declared(state, capacity_gbps),
        )

    def _announced(self, capacity_gbps: Array, announced_gbps: Array) -> dict[str, Array]:
        """Field of `Readings` about works to come, where capacity is ordered."""
        if self.ports is None:
            return {"announced_gbps": capacity_gbps[:0]}
        least = namespace(capacity_gbps).minimum(capacity_gbps, announced_gbps)
        return {"announced_gbps": least}

    def _declared(self, state: State, capacity_gbps: Array) -> dict[str, Array]:
        """Fields of `Readings` about declared work."""
        if self.declarations is None or not isinstance(state.queued_gbit, np.ndarray):
            nothing = capacity_gbps[:0]
            return {"declared_gbit": nothing, "declared_due_s": nothing}
        return self.declarations(state.queued_gbit, state.interval)

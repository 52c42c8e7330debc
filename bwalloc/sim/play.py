"""Play episodes under one rule and keep the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.limits import violations
from bwalloc.allocate.rule import orders_of
from bwalloc.money import TERMS, net_usd
from bwalloc.sim import Episodes, Simulator
from bwalloc.sim.promises import Promise, PromiseLog
from bwalloc.sim.recovery import RecoveryLog

if TYPE_CHECKING:
    from bwalloc.allocate import Rule
    from bwalloc.scenario import Scenario, World
    from bwalloc.sim import Step
    from bwalloc.sim.ports import PortFlows
    from bwalloc.sim.state import State


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, slots=True)
class Played:
    """The books of a batch of episodes under one rule; warm-up is not counted.

    Attributes:
        classes: traffic classes, in the order of the rows below.
        terms: USD by term of the ledger, float64 (B,).
        offered_gbit, attained_gbit, served_gbit, expired_gbit: by class, (classes, B).
        stalled_gpu_s, overrun_gbit: (B,).
        utilisation: mean load over capacity of each link, (links,).
        violations: limits broken over all decisions.
        orders, rejected: orders accepted, and come to nothing, by span that is sold, (offered, B).
        bill_usd, paid_usd: of these spans: amortised, as in the terms, and hourly, (offered, B).
        recovery_s: seconds to recover from each failure, of all episodes one after another.
        tenants: what became of the rates that tenants were promised, by tenant.
        offered_series, served_series: of the first episode, Gbit/s (intervals, demands).
    """

    classes: tuple[str, ...]
    terms: dict[str, np.ndarray]
    offered_gbit: np.ndarray
    attained_gbit: np.ndarray
    served_gbit: np.ndarray
    expired_gbit: np.ndarray
    stalled_gpu_s: np.ndarray
    overrun_gbit: np.ndarray
    utilisation: np.ndarray
    violations: int
    orders: np.ndarray
    rejected: np.ndarray
    bill_usd: np.ndarray
    paid_usd: np.ndarray
    offered_series: np.ndarray
    served_series: np.ndarray
    recovery_s: np.ndarray = field(default_factory=_none)
    tenants: dict[str, Promise] = field(default_factory=dict[str, Promise])

    @property
    def net_usd(self) -> np.ndarray:
        """Money of each episode, (B,)."""
        return net_usd(self.terms)


class _PortBooks:
    """Orders and bills of the spans that are sold, each (offered, B); fields of `Played`."""

    def __init__(self, scenario: Scenario, batch: int) -> None:
        """Start with nothing ordered."""
        offers = scenario.network.offers
        shape = (0 if offers is None else len(offers.span), batch)
        self.orders, self.rejected = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.bill_usd, self.paid_usd = np.zeros(shape), np.zeros(shape)

    def add(self, flows: PortFlows) -> None:
        """Book one counted interval."""
        self.orders += flows.is_accepted
        self.rejected += flows.is_refused
        self.bill_usd += flows.bill_usd
        self.paid_usd += flows.paid_usd


_PORT_BOOKS = ("orders", "rejected", "bill_usd", "paid_usd")


class Ledger:
    """Adds up the steps of a batch of episodes."""

    def __init__(self, scenario: Scenario, batch: int) -> None:
        """Start with empty books."""
        demands, links = scenario.network.n_demands, scenario.network.n_links
        self.scenario = scenario
        self.terms = {name: np.zeros(batch) for name in TERMS}
        self.flows = {name: np.zeros((demands, batch)) for name in _FLOWS}
        self.stalled, self.overrun = np.zeros(batch), np.zeros(batch)
        self.load, self.room = np.zeros(links), np.zeros(links)
        self.violations = 0
        self.orders = _PortBooks(scenario, batch)
        self.offered: list[np.ndarray] = []
        self.served: list[np.ndarray] = []

    def add(self, step: Step) -> None:
        """Book one counted interval."""
        interval_s = self.scenario.timing.interval_s
        for name, value in step.terms.items():
            self.terms[name] += value
        for name in _FLOWS[1:]:
            self.flows[name] += getattr(step.flows, name)
        self.flows["offered_gbit"] += step.readings.offered_gbps * interval_s
        gpus = self.scenario.network.groups.gpus
        self.stalled += gpus @ step.flows.stalled_s if len(gpus) else 0.0
        self.overrun += step.overrun_gbit
        if step.ports is not None:
            self.orders.add(step.ports)
        self.load += step.readings.carried_gbps.sum(1)
        self.room += step.readings.capacity_gbps.sum(1)
        self.offered.append(step.readings.offered_gbps[:, 0].copy())
        self.served.append(step.flows.served_gbit[:, 0] / interval_s)

    def close(self) -> Played:
        """The books as a record."""
        demands = self.scenario.network.demands
        by_class: dict[str, Any] = {
            name: np.stack([flow[demands.rows_of(kind)].sum(0) for kind in demands.classes])
            for name, flow in self.flows.items()
        }
        return Played(
            classes=demands.classes,
            terms=self.terms,
            **by_class,
            stalled_gpu_s=self.stalled,
            overrun_gbit=self.overrun,
            utilisation=self.load / np.maximum(self.room, 1e-9),
            violations=self.violations,
            **vars(self.orders),
            offered_series=np.array(self.offered),
            served_series=np.array(self.served),
        )


def joined(parts: Sequence[Played]) -> Played:
    """The books of several batches as those of one, their episodes in order.

    Networks may differ: links and series are those of the first batch, and classes that a batch
    has not are 0 there.
    """
    if len(parts) == 1:
        return parts[0]
    classes = tuple(dict.fromkeys(kind for part in parts for kind in part.classes))
    by_class: dict[str, Any] = {
        name: np.concatenate([_rows(part, name, classes) for part in parts], 1) for name in _FLOWS
    }
    return Played(
        classes=classes,
        terms={name: np.concatenate([part.terms[name] for part in parts]) for name in TERMS},
        **by_class,
        stalled_gpu_s=np.concatenate([part.stalled_gpu_s for part in parts]),
        overrun_gbit=np.concatenate([part.overrun_gbit for part in parts]),
        utilisation=parts[0].utilisation,
        violations=sum(part.violations for part in parts),
        **{name: _by_span(parts, name) for name in _PORT_BOOKS},
        offered_series=parts[0].offered_series,
        served_series=parts[0].served_series,
        recovery_s=np.concatenate([part.recovery_s for part in parts]),
        tenants=_joined_tenants(parts),
    )


def _joined_tenants(parts: Sequence[Played]) -> dict[str, Promise]:
    """Promises of several batches; a tenant that a batch has not missed nothing there."""
    names = dict.fromkeys(name for part in parts for name in part.tenants)
    books: dict[str, Promise] = {}
    for name in names:
        zeros = [np.zeros(len(part.stalled_gpu_s)) for part in parts]
        found = [
            part.tenants.get(name, Promise(nothing, nothing))
            for part, nothing in zip(parts, zeros, strict=True)
        ]
        books[name] = Promise(
            np.concatenate([each.below_floor_min for each in found]),
            np.concatenate([each.credit_usd for each in found]),
        )
    return books


def _by_span(parts: Sequence[Played], name: str) -> np.ndarray:
    """Books by span one after another; of all spans together where networks differ."""
    books: list[np.ndarray] = [getattr(part, name) for part in parts]
    if len({len(book) for book in books}) > 1:
        books = [book.sum(0, keepdims=True) for book in books]
    return np.concatenate(books, 1)


def _rows(part: Played, name: str, classes: Sequence[str]) -> np.ndarray:
    """A flow by class of a batch, with a row for each of `classes`."""
    flow: np.ndarray = getattr(part, name)
    rows = np.zeros((len(classes), flow.shape[1]))
    rows[[classes.index(kind) for kind in part.classes]] = flow
    return rows


_FLOWS = ("offered_gbit", "attained_gbit", "served_gbit", "expired_gbit")


def play(scenario: Scenario, rule: Rule, worlds: list[World]) -> Played:
    """Play `worlds` from start to end under `rule`, all at once, with its orders if it has any."""
    simulator, episodes = Simulator(scenario), Episodes(worlds)
    state = simulator.start(len(worlds))
    readings = simulator.first_readings(state, episodes)
    ledger = Ledger(scenario, len(worlds))
    logs = Logs(scenario, simulator, worlds)
    rule.reset(len(worlds))
    for interval in range(scenario.timing.intervals):
        rates = rule.decide(readings)
        broken = violations(scenario.network, rates, readings.capacity_gbps)
        ledger.violations += int(broken.sum())
        orders = orders_of(rule, readings)
        step = simulator.step(state, rates, episodes, orders)
        logs.add(interval, rates, step, simulator, state, episodes)
        state, readings = step.state, step.readings
        if interval >= scenario.timing.warmup_intervals:
            ledger.add(step)
    return replace(ledger.close(), **logs.close())


class Logs:
    """What is noted of failures and of floors, in scenarios that have any."""

    def __init__(self, scenario: Scenario, simulator: Simulator, worlds: Sequence[World]) -> None:
        """Start those that are needed."""
        self.warmup = scenario.timing.warmup_intervals
        fails = worlds[0].outages is not None
        has_floors = bool(scenario.network.demands.floor_gbps.any())
        self.recovery = RecoveryLog(scenario, worlds) if fails else None
        physics = simulator.physics
        self.promises = PromiseLog(scenario, physics, len(worlds)) if has_floors else None

    def add(
        self,
        interval: int,
        rates: np.ndarray,
        step: Step,
        simulator: Simulator,
        before: State,
        episodes: Episodes,
    ) -> None:
        """Note one interval, which began in state `before`."""
        if self.recovery is not None:
            self.recovery.add(interval, rates, step)
        if self.promises is not None and interval >= self.warmup:
            at = before.interval
            rooms = simulator.in_tiers(before, episodes.capacity_gbps(at), episodes.change(at))
            self.promises.add(simulator.stretches(before, rates, *rooms))

    def close(self) -> dict[str, Any]:
        """Fields of `Played`."""
        recovery = {} if self.recovery is None else {"recovery_s": self.recovery.close()}
        promises = {} if self.promises is None else {"tenants": self.promises.close()}
        return {**recovery, **promises}

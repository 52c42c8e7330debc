"""Supervisors under test: clocks that stand still, policies that misbehave, telemetry in a row."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
from wide import START, measured

from bwalloc.allocate.limits import violations
from bwalloc.money import Tariff, net_usd
from bwalloc.scenario import draw_world
from bwalloc.serve import load_bundle
from bwalloc.serve.orders.prices import Prices
from bwalloc.serve.policy.runtime import Proposal
from bwalloc.sim import Episodes, Simulator, telemetry_of


class HandClock:
    """Both clocks go only when they are told to."""

    def __init__(self, now=START):
        self.day, self.seconds, self.truth = now, 1000.0, now

    def utc(self):
        return self.day

    def monotonic(self):
        return self.seconds

    def follow(self, interval_end):
        del interval_end

    def go(self, seconds):
        self.day += timedelta(seconds=seconds)
        self.truth += timedelta(seconds=seconds)
        self.seconds += seconds

    def jump(self, seconds):
        """Only this machine's time of day moves; `truth` is that of everybody else."""
        self.day += timedelta(seconds=seconds)


@cache
def agent():
    return load_bundle("metro-inference")


def bound(network, limits=None, *, clock=None, policy=None, **options):
    """A supervisor over the shipped agent; `policy` replaces what its runtime answers."""
    options.setdefault("runtime", "numpy")
    made = agent().bind(network, limits, clock=clock or HandClock(), **options)
    if policy is not None:
        behave(made, policy)
    return made


def behave(supervisor, policy):
    """Let `policy(given)` answer in the place of the runtime: rates or a `Proposal`."""
    core = supervisor._core

    class Runtime:
        name = "test"

        def __call__(self, given):
            answer = policy(given)
            return answer if isinstance(answer, Proposal) else Proposal(answer)

    core.active = replace(core.active, runtime=Runtime())


def selling(supervisor, usd_per_h=1.0):
    """The supervisor, every span for sale at any tier at so much per Gbit/s."""
    core, tariff = supervisor._core, Tariff(usd_per_h)
    names = core.binding.network.spans.name
    prices = Prices(core.binding.network, dict.fromkeys(names, tariff))
    core.binding.prices = prices
    core.spend.rebind(prices, core.binding.times)
    return supervisor


def as_before(supervisor):
    """What the runtime of a supervisor answers now, as a policy."""
    runtime = supervisor._core.active.runtime
    return lambda given: runtime(given)


class Loop:
    """A controller: each turn an interval ends, its telemetry comes, a decision is taken."""

    def __init__(self, supervisor, *, load=0.5, seed=0, start=START):
        self.supervisor, self.network = supervisor, supervisor.network
        self.clock = supervisor._core.clock
        self.load, self.seed, self.start, self.interval = load, seed, start, 0

    def telemetry(self, **changes):
        """Of the interval that has just ended."""
        return measured(
            self.network, self.interval, seed=self.seed, load=self.load, start=self.start, **changes
        )

    def turn(self, change=None, **changes):
        """One interval; `change` makes of its telemetry what comes in its place."""
        self.interval += 1
        self.clock.go(self.network.interval_s)
        record = self.telemetry(**changes)
        return self.supervisor.decide(record if change is None else change(record))

    def turns(self, count, **changes):
        return [self.turn(**changes) for _ in range(count)]


def broken(network, decision, capacity_gbps, limits=None):
    """Limits that a decision breaks."""
    capacity = np.asarray(capacity_gbps, float)[:, None]
    return int(violations(network, decision.rates_gbps[:, :, None], capacity, limits)[0])


def words(decision):
    return [reason.partition(":")[0] for reason in decision.reasons]


class Gate:
    """A policy that waits until it is let go, then answers as `inner` does."""

    def __init__(self, inner):
        self.inner, self.asked, self.open = inner, threading.Event(), threading.Event()
        self.calls = 0

    def __call__(self, given):
        self.calls += 1
        self.asked.set()
        assert self.open.wait(30)
        return self.inner(given)


class Played:
    """A simulated network under a supervisor, telemetry and time of day as they come.

    `served_gbit` is what got through, `net_usd` what it was worth less all costs; `broken` counts
    limits broken against the true capacities, before anybody spoilt the telemetry.
    """

    def __init__(self, scenario, supervisor, *, seed=0):
        self.scenario, self.supervisor, self.seed = scenario, supervisor, seed
        self.clock = supervisor._core.clock
        self.decisions, self.served_gbit, self.net_usd, self.broken = [], 0.0, 0.0, 0

    def run(self, intervals, spoil=None, before=None):
        """`spoil(interval, record)` makes what comes in the place of a record."""
        scenario, network = self.scenario, self.scenario.network
        simulator = Simulator(scenario)
        episodes = Episodes([draw_world(scenario, "test", self.seed)])
        state = simulator.start(1)
        readings = simulator.first_readings(state, episodes)
        for interval in range(intervals):
            if before is not None:
                before(interval, self)
            self.clock.go(network.interval_s)
            record = replace(telemetry_of(network, readings), interval_end=self.clock.truth)
            came = record if spoil is None else spoil(interval, record)
            decision = self.supervisor.decide(came)
            self.decisions.append(decision)
            self.broken += broken(network, decision, readings.capacity_gbps[:, 0])
            rates = decision.rates_gbps[:, :, None].astype(np.float32)
            step = simulator.step(state, rates, episodes)
            state, readings = step.state, step.readings
            self.served_gbit += float(step.flows.served_gbit.sum())
            self.net_usd += float(net_usd(step.terms)[0])
        return self

    @property
    def sources(self):
        return [decision.source for decision in self.decisions]

"""One decision: telemetry in, a rung of the ladder, the guard, the counters, out."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.allocate.projection import Held
from bwalloc.serve.binding import Good, Issued
from bwalloc.serve.books.status import RecentDecision
from bwalloc.serve.ladder import Choice, choose
from bwalloc.serve.reasons import reason
from bwalloc.serve.telemetry.freshness import utc_of
from bwalloc.serve.telemetry.intake import Intake
from bwalloc.serve.trusted import trusted_decision

if TYPE_CHECKING:
    from bwalloc.control import Decision, Order, Telemetry
    from bwalloc.observe import Readings
    from bwalloc.serve.core import Core
    from bwalloc.serve.operator import Will
    from bwalloc.serve.policy.session import PolicySession


def decide(core: Core, telemetry: Telemetry | None) -> Decision:
    """The decision; hold `core.deciding`. Raises nothing."""
    begun = time.perf_counter()
    with np.errstate(all="ignore"):
        try:
            return _decide(core, telemetry, begun)
        except Exception as error:  # a fault of this library
            return _last_resort(core, error, begun)


def _decide(core: Core, telemetry: Telemetry | None, begun: float) -> Decision:
    binding, active = core.binding, core.active
    intake = binding.receiver.take(telemetry)
    now_s = core.clock.monotonic()
    known = None if core.is_closed else binding.repeated(intake, core.will.at(now_s))
    if known is not None:
        return known
    fault = None
    if intake.readings is not None:
        fault = _pushed(active.session, intake.readings, is_new=intake.is_new)
    if core.is_closed or core.will.killed is not None:
        choice = Choice("static", binding.static_gbps)
    else:
        left_s = binding.times.decide_within_s - (time.perf_counter() - begun)
        choice = choose(binding, active, intake, fault, left_s, now_s)
    if telemetry is not None and intake.readings is not None:
        core.spend.see(telemetry.spans)
    return _issued(core, choice, intake, begun)


def _pushed(session: PolicySession, readings: Readings, *, is_new: bool) -> str | None:
    """Let a session take in readings; the reason if it could not, and then it begins anew."""
    try:
        session.push(readings, is_new=is_new)
    except Exception as error:
        session.reset()
        return reason("policy-raised", type(error).__name__)
    return None


def _issued(core: Core, choice: Choice, intake: Intake, begun: float) -> Decision:
    """Hold, enter and give a decision; an operator who speaks meanwhile is heard."""
    binding, now_s = core.binding, core.clock.monotonic()
    while True:
        spoken = core.will
        will = spoken.at(now_s)
        held = _held(core, choice := _obeyed(core, choice, will), intake, will)
        with core.state:
            if spoken is not core.will:
                continue
            core.spend.account(core.now(), now_s)
            orders, said = _orders(core, choice, now_s)
            decision = _made(core, choice, held, intake, orders, said)
            recent = _recent(core, decision, held, intake, begun)
            core.counters.add(recent)
            left = core.left()
        break
    before, core.decided_s = binding.rates_gbps, now_s
    end = intake.interval_end if intake.readings is not None else None
    known = intake.capacity_gbps, intake.carried_gbps
    issued = Issued(decision, held.rates_gbps, *known, end, will)
    good = _good_rates(core, choice, held, will)
    binding.give(issued, None if good is None else Good(good, now_s))
    if core.shadow is not None and intake.readings is not None and intake.is_new:
        core.shadow.watch(intake.readings, intake.capacity_gbps, before, held.rates_gbps)
    core.chronicle.decision(decision, recent, left)
    return decision


def _obeyed(core: Core, choice: Choice, will: Will) -> Choice:
    """The choice under an operator's word: the kill switch leaves the static table."""
    if will.killed is None and not core.is_closed:
        return choice
    why = (reason("closed"),) if core.is_closed else (reason("kill-switch", will.killed),)
    static = core.binding.static_gbps
    return Choice("static", static, choice.orders, why, is_stepped=False)


def _held(core: Core, choice: Choice, intake: Intake, will: Will) -> Held:
    binding = core.binding
    fixed = will.fixed(binding.network, binding.static_totals)
    is_stepped = choice.is_stepped and binding.has_decided
    previous = binding.rates_gbps if is_stepped else None
    return binding.guard.hold(choice.rates_gbps, intake.capacity_gbps, previous, fixed)


def _good_rates(core: Core, choice: Choice, held: Held, will: Will) -> np.ndarray | None:
    """What may stand in once telemetry fails; an override in it would outlive its release."""
    if choice.source not in ("policy", "max-min"):
        return None
    binding = core.binding
    fixed = will.fixed(binding.network, binding.static_totals)
    if fixed is None:
        return held.rates_gbps
    return np.where(fixed.is_fixed[:, None], choice.rates_gbps, held.rates_gbps)


def _orders(core: Core, choice: Choice, now_s: float) -> tuple[tuple[Order, ...], tuple[str, ...]]:
    """Orders that may be placed; only a policy with good telemetry places any."""
    try:
        if choice.source == "policy":
            return core.spend.consider(tuple(choice.orders), core.now(), now_s)
        return (), (reason("order-withheld", len(choice.orders)),) if choice.orders else ()
    except Exception as error:  # orders that are no orders
        return (), (reason("order-invalid", type(error).__name__),)


def _made(
    core: Core,
    choice: Choice,
    held: Held,
    intake: Intake,
    orders: tuple[Order, ...],
    said: tuple[str, ...],
) -> Decision:
    binding, begin = core.binding, core.now()
    if intake.readings is not None and intake.interval_end is not None:
        begin = max(begin, intake.interval_end)
    done = (reason(word, count) for word, count in held.done.items())
    core.decisions += 1
    return trusted_decision(
        id=f"{core.begun}-{core.decisions}",
        demands=binding.network.demands.name,
        rates_gbps=held.rates_gbps,
        valid_until=begin + timedelta(seconds=binding.network.interval_s),
        source=choice.source,
        policy_version=core.active.bundle.version,
        orders=orders,
        reasons=(*choice.reasons, *intake.reasons, *done, *said),
    )


def _recent(
    core: Core, decision: Decision, held: Held, intake: Intake, begun: float
) -> RecentDecision:
    return RecentDecision(
        id=decision.id,
        at=utc_of(core.clock.utc()),
        interval_end=intake.interval_end,
        deployment=core.active.status.deployment,
        policy_version=decision.policy_version,
        source=decision.source,
        reasons=decision.reasons,
        seconds=time.perf_counter() - begun,
        planned_gbps=float(held.rates_gbps.sum()),
        orders=len(decision.orders),
        projection_share=held.moved_share,
    )


def _last_resort(core: Core, error: Exception, begun: float) -> Decision:
    """The static table where it fits what is known, else nothing for anybody."""
    binding = core.binding
    capacity = binding.receiver.capacities.without(None, core.clock.monotonic())
    said = (reason("internal-error", type(error).__name__),)
    choice = Choice("static", binding.static_gbps, (), said, is_stepped=False)
    intake = Intake(None, capacity, None, None, is_new=True, reasons=())
    try:
        held = binding.guard.hold(choice.rates_gbps, capacity, None, None)
    except Exception:
        held = Held(np.zeros_like(binding.static_gbps), 1.0, {})
    with core.state:
        decision = _made(core, choice, held, intake, (), ())
        recent = _recent(core, decision, held, intake, begun)
        core.counters.add(recent)
        left = core.left()
    binding.rates_gbps, binding.issued = held.rates_gbps, None
    core.decided_s = core.clock.monotonic()
    core.chronicle.decision(decision, recent, left)
    return decision

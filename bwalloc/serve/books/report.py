"""The status of a supervisor, gathered from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bwalloc.serve.books.status import Status

if TYPE_CHECKING:
    from bwalloc.serve.core import Core

SCHEMA = 1


def report(core: Core) -> Status:
    """The state now; waits for no decision."""
    now_s = core.clock.monotonic()
    binding, newest = core.binding, core.binding.receiver.freshness.newest
    with core.state:
        ladder, times = core.counters.ladder(), core.counters.times()
        recent = tuple(core.counters.recent)
        money, waiting = core.spend.money(now_s), core.spend.approvals.waiting
        will = core.will.at(now_s)
    age_s = None if newest is None else (core.now() - newest).total_seconds()
    is_fed = age_s is not None and age_s <= binding.times.stale_after_s
    last = recent[-1] if recent else None
    return Status(
        schema=SCHEMA,
        network=binding.network.name,
        network_hash=binding.hash,
        demands=binding.network.n_demands,
        interval_s=float(binding.network.interval_s),
        deployment=core.active.status,
        previous=None if core.previous is None else core.previous.status,
        ladder=ladder,
        recent=recent,
        times=times,
        projection_share=None if last is None else last.projection_share,
        telemetry_age_s=age_s,
        decision_age_s=None if core.decided_s is None else now_s - core.decided_s,
        links=binding.links(),
        money=money,
        waiting=waiting,
        killed=will.killed,
        overrides=tuple(override.status for override in will.overrides),
        shadow=None if core.shadow is None else core.shadow.status(),
        audit_errors=core.chronicle.errors,
        is_ready=not core.is_closed and (is_fed or last is None),
        is_closed=core.is_closed,
    )

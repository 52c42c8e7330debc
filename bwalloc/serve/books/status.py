"""What a supervisor says about itself: one frozen record, made for metrics, pages and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

SOURCES = ("policy", "max-min", "last-known-good", "static")
"""Rungs of the ladder, best first: where the rates of a decision can come from."""


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """A bundle at work. `deployment` counts up with every swap and rollback, never down."""

    deployment: int
    name: str
    version: str
    environment: str
    runtime: str
    runtime_ms: Mapping[str, float]
    """Time of one inference by runtime when it was bound; runtimes not tried are left out."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One directed link: what it can carry as far as known, is planned to, and last carried."""

    name: str
    is_up: bool
    capacity_gbps: float
    planned_gbps: float
    carried_gbps: float | None
    utilisation: float
    """Planned / capacity; 0 where nothing can be carried."""


@dataclass(frozen=True, slots=True)
class Transition:
    """How often the source of decisions went from one to another."""

    before: str
    after: str
    count: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where decisions come from now, and what has been.

    Attributes:
        source: of the last decision, one of `SOURCES`; None before the first.
        is_fallback: it was not the policy.
        since: when that source took over.
        decisions: by source.
        transitions: from source to source; the first decision comes from `start`.
        reasons: how often each reason was given, by its stable word.
    """

    source: str | None
    is_fallback: bool
    since: datetime | None
    decisions: Mapping[str, int]
    transitions: tuple[Transition, ...]
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RecentDecision:
    """One decision as it was logged: aggregates, no demand's row."""

    id: str
    at: datetime
    interval_end: datetime | None
    deployment: int
    policy_version: str
    source: str
    reasons: tuple[str, ...]
    seconds: float
    planned_gbps: float
    orders: int
    projection_share: float
    """Rates that the guard moved, as a share of all rates that were asked for."""


@dataclass(frozen=True, slots=True)
class DecisionTimes:
    """Histogram of the seconds of a decision: `counts[i]` took at most `bounds_s[i]`.

    Cumulative as in Prometheus; `count` also holds those beyond the last bound.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    total_s: float


@dataclass(frozen=True, slots=True)
class Money:
    """What is bought and what it costs; limits that are not set are None."""

    usd_per_h: float
    max_usd_per_h: float | None
    month: str
    spent_usd: float
    max_usd_per_month: float | None
    orders_last_hour: int
    max_orders_per_h: float | None
    approval_above_usd_per_h: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order above the approval threshold that waits for `approve` or `reject`."""

    id: str
    span: str
    from_gbps: float
    tier_gbps: float
    more_usd_per_h: float
    since: datetime
    is_approved: bool


@dataclass(frozen=True, slots=True)
class OverrideStatus:
    """A tenant whose rates an operator set; `gbps` None is the static table's."""

    tenant: str
    gbps: float | None
    reason: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Shadow:
    """A bundle that decides beside, never enforced.

    Attributes:
        name, version: of the bundle.
        decisions, faults, skipped: it answered, failed, or was still busy with the one before.
        difference_share: half the sum of |shadow - issued| over all rates issued, last decision.
        mean_difference_share: over all of its decisions.
        planned_gbps: sum of its last rates.
    """

    name: str
    version: str
    decisions: int
    faults: int
    skipped: int
    difference_share: float | None
    mean_difference_share: float | None
    planned_gbps: float | None


@dataclass(frozen=True, slots=True)
class PlaneStatus:
    """The state of a plane and its loop.

    Attributes:
        kind: of the plane.
        is_enforcing: decisions are put into force; else they are only made.
        is_reachable: the last read and the last decision met no error, and nothing lasts that is
            wrong with the plane.
        rounds: intervals since the start.
        errors: by what failed; `late` is a decision that was dropped because its interval was over.
        last_error: text of the last one.
        happened: how often each note was given, by its stable word.
        recent: texts of the last notes and errors, newest last.
        reading, applying: histograms of their seconds.
        read_age_s, apply_age_s: since the last that worked.
        changed, kept: classes of the last decision, see `Applied`.
        watchdog_pid: the process that puts the static table back.
    """

    kind: str
    is_enforcing: bool
    is_reachable: bool
    rounds: int
    errors: Mapping[str, int]
    last_error: str | None
    happened: Mapping[str, int]
    recent: tuple[str, ...]
    reading: DecisionTimes
    applying: DecisionTimes
    read_age_s: float | None
    apply_age_s: float | None
    changed: int
    kept: int
    watchdog_pid: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a supervisor at one moment; no field holds NaN or infinity.

    Attributes:
        network, network_hash, demands, interval_s: what it is bound to.
        deployment, previous: the bundle that decides, and the one `rollback` goes to.
        ladder: source, transitions and reasons.
        recent: the last decisions, newest last.
        times: histogram of the seconds of a decision.
        projection_share: of the last decision, see `RecentDecision`.
        telemetry_age_s: age of the newest telemetry that was decided upon.
        decision_age_s: since the last decision.
        links: in the order of the network.
        money, waiting: the bill, and orders that wait for approval.
        killed: why the kill switch is on; None while it is off.
        overrides: tenants whose rates an operator set.
        shadow: a bundle that decides beside.
        audit_errors: lines that could not be written.
        is_ready: a policy is loaded, telemetry is fresh or none was due yet, and the plane, if
            there is one, can be reached.
        is_closed: `close` was called.
        plane: what measures and enforces; None where a controller does.
    """

    schema: int
    network: str
    network_hash: str
    demands: int
    interval_s: float
    deployment: DeploymentStatus
    previous: DeploymentStatus | None
    ladder: Ladder
    recent: tuple[RecentDecision, ...]
    times: DecisionTimes
    projection_share: float | None
    telemetry_age_s: float | None
    decision_age_s: float | None
    links: tuple[LinkStatus, ...]
    money: Money
    waiting: tuple[Waiting, ...]
    killed: str | None
    overrides: tuple[OverrideStatus, ...]
    shadow: Shadow | None
    audit_errors: int
    is_ready: bool
    is_closed: bool
    plane: PlaneStatus | None = None

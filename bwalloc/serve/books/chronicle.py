"""What is written to the audit log, and what a new process takes over from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter

from bwalloc.serve.books.audit import AuditLog
from bwalloc.serve.books.status import Waiting
from bwalloc.serve.telemetry.freshness import utc_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.control import Decision
    from bwalloc.serve.books.status import RecentDecision


Number = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class Left:
    """What the process before left.

    Attributes:
        at: when it wrote this.
        deployment: its last.
        killed: why its kill switch was on, or None.
        usd_per_h: what was bought.
        spent_usd: by month.
        order_ages_s: how long before `at` each order of the last hour was placed.
        tiers: Gbit/s by span, of those that were not at the tier they were built with.
        placed: by span, tier that was ordered, and how long before `at`.
        paid: by span, USD an hour that may be due, and for how long after `at`.
        waiting: orders that wait for an operator or were approved, and how long before `at` each
            began to.
        rejected: by span, tier that an operator rejected, and for how long after `at` that holds.
    """

    at: datetime
    deployment: int
    killed: str | None
    usd_per_h: Number
    spent_usd: dict[str, Number]
    order_ages_s: list[Number]
    tiers: dict[str, Number] = field(default_factory=dict[str, float])
    placed: dict[str, tuple[Number, Number]] = field(default_factory=dict[str, tuple[float, float]])
    paid: dict[str, tuple[Number, Number]] = field(default_factory=dict[str, tuple[float, float]])
    waiting: list[tuple[Waiting, Number]] = field(default_factory=list[tuple[Waiting, float]])
    rejected: dict[str, tuple[Number, Number]] = field(
        default_factory=dict[str, tuple[float, float]]
    )


_LEFT = TypeAdapter(Left)


class Chronicle:
    """Writes the lines; without a path it writes nothing."""

    def __init__(self, path: Path | str | None) -> None:
        """Open the log.

        Raises:
            ServiceError: Another process writes it.
        """
        self._log = None if path is None else AuditLog(path)

    @property
    def errors(self) -> int:
        """Lines that could not be written."""
        return 0 if self._log is None else self._log.errors

    def left(self) -> Left | None:
        """What the last line that a supervisor wrote says; None if there is none."""
        for line in () if self._log is None else self._log.newest():
            try:
                state = line["state"]
                parts = {**state["bill"], **state.get("spans", {}), **state, "at": line["at"]}
                left = _LEFT.validate_python(parts)
            except (AttributeError, KeyError, TypeError, ValueError):
                continue
            return replace(left, at=utc_of(left.at))
        return None

    def event(self, at: datetime, event: str, state: Mapping[str, Any], **details: Any) -> None:
        """One line about something that happened."""
        if self._log is not None:
            self._log.write({"at": at.isoformat(), "event": event, **details, "state": state})

    def decision(
        self, decision: Decision, recent: RecentDecision, state: Mapping[str, Any]
    ) -> None:
        """One line about a decision: sums over all demands, and the orders."""
        if self._log is None:
            return
        end = recent.interval_end
        self.event(
            recent.at,
            "decision",
            state,
            id=recent.id,
            interval_end=None if end is None else end.isoformat(),
            valid_until=decision.valid_until.isoformat(),
            policy_version=recent.policy_version,
            source=recent.source,
            reasons=list(recent.reasons),
            seconds=round(recent.seconds, 6),
            planned_gbps=round(recent.planned_gbps, 6),
            projection_share=round(recent.projection_share, 6),
            orders=[[order.span, order.tier_gbps] for order in decision.orders],
        )

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

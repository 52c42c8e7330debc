"""What is written to the audit log, and what a new process takes over from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwalloc.serve.audit import AuditLog
from bwalloc.serve.freshness import utc_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.control import Decision
    from bwalloc.serve.status import RecentDecision


@dataclass(frozen=True)
class Left:
    """What the process before left: its last deployment, kill switch, bill, and when that was."""

    at: datetime
    deployment: int
    killed: str | None
    usd_per_h: float
    bill: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Chronicle:
    """Writes the lines; without a path it writes nothing."""

    def __init__(self, path: Path | str | None) -> None:
        """Open the log."""
        self._log = None if path is None else AuditLog(path)

    @property
    def errors(self) -> int:
        """Lines that could not be written."""
        return 0 if self._log is None else self._log.errors

    def left(self) -> Left | None:
        """What the last line says; None without a log, or if it makes no sense."""
        line = None if self._log is None else self._log.last()
        try:
            state = (line or {})["state"]
            return Left(
                at=utc_of(datetime.fromisoformat(line["at"])),  # pyright: ignore[reportOptionalSubscript]
                deployment=int(state["deployment"]),
                killed=None if state["killed"] is None else str(state["killed"]),
                usd_per_h=float(state["usd_per_h"]),
                bill=dict(state["bill"]),
            )
        except (KeyError, TypeError, ValueError):
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

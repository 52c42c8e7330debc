"""What a supervisor holds: the parts that deciding, operating and reporting share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bwalloc.serve.books.counters import Counters
from bwalloc.serve.operator import Will
from bwalloc.serve.telemetry.freshness import utc_of

if TYPE_CHECKING:
    from bwalloc.allocate.limits import Limits
    from bwalloc.serve.binding import Binding
    from bwalloc.serve.books.chronicle import Chronicle
    from bwalloc.serve.clock import Clock
    from bwalloc.serve.orders.spend import SpendGuard
    from bwalloc.serve.policy.deployment import Deployment
    from bwalloc.serve.policy.shadow import ShadowRun


@dataclass
class Core:
    """The parts, and the locks they are changed under.

    Attributes:
        deciding: held for a whole decision; whoever holds it may replace `binding`, `active`.
        state: held for a moment only, for counters, money and `will`; never waits for a policy.
        number: deployments so far.
        decisions: decisions so far.
        decided_s: when the last decision was given, monotonic seconds.
        begun: sets the ids of this process apart from those of others.
    """

    limits: Limits
    clock: Clock
    binding: Binding
    active: Deployment
    spend: SpendGuard
    chronicle: Chronicle
    number: int
    will: Will
    begun: str
    previous: Deployment | None = None
    shadow: ShadowRun | None = None
    counters: Counters = field(default_factory=Counters)
    is_closed: bool = False
    decided_s: float | None = None
    decisions: int = 0
    deciding: threading.Lock = field(default_factory=threading.Lock)
    state: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        """The time of day that counts, UTC."""
        return self.binding.receiver.freshness.now()

    def left(self) -> dict[str, Any]:
        """What a process after this one must know; hold `state`."""
        now_s = self.clock.monotonic()
        return {
            "deployment": self.number,
            "killed": self.will.killed,
            "usd_per_h": round(self.spend.usd_per_h, 6),
            "bill": self.spend.bill.to_record(now_s),
            "spans": self.spend.to_record(now_s),
        }

    def log(self, event: str, **details: Any) -> None:
        """Write an event down."""
        with self.state:
            left = self.left()
        self.chronicle.event(utc_of(self.clock.utc()), event, left, **details)

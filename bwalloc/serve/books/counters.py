"""Counters of a supervisor: what decided, why, how often that changed, and how long it took."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from typing import TYPE_CHECKING

from bwalloc.serve.books.status import SOURCES, DecisionTimes, Ladder, RecentDecision, Transition
from bwalloc.serve.reasons import word_of

if TYPE_CHECKING:
    from datetime import datetime

BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper bounds of the histogram of decision times."""
RECENT = 50
"""Decisions that are remembered."""
START = "start"
"""Where the first decision comes from."""


class Counters:
    """Adds up decisions; not locked, its owner locks."""

    def __init__(self) -> None:
        """Nothing was decided."""
        self.recent: deque[RecentDecision] = deque(maxlen=RECENT)
        self._source: str | None = None
        self._since: datetime | None = None
        self._decisions: Counter[str] = Counter(dict.fromkeys(SOURCES, 0))
        self._transitions: Counter[tuple[str, str]] = Counter()
        self._reasons: Counter[str] = Counter()
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._total_s = 0.0

    def add(self, decision: RecentDecision) -> None:
        """Enter a decision."""
        before = self._source or START
        if decision.source != before:
            self._transitions[before, decision.source] += 1
            self._source, self._since = decision.source, decision.at
        self._decisions[decision.source] += 1
        self._reasons.update(word_of(reason) for reason in decision.reasons)
        self._buckets[bisect_left(BOUNDS_S, decision.seconds)] += 1
        self._total_s += decision.seconds
        self.recent.append(decision)

    def ladder(self) -> Ladder:
        """Sources, transitions and reasons so far."""
        return Ladder(
            source=self._source,
            is_fallback=self._source not in (None, SOURCES[0]),
            since=self._since,
            decisions=dict(self._decisions),
            transitions=tuple(
                Transition(before, after, count)
                for (before, after), count in sorted(self._transitions.items())
            ),
            reasons=dict(sorted(self._reasons.items())),
        )

    def times(self) -> DecisionTimes:
        """The histogram so far."""
        counts, whole = list[int](), 0
        for bucket in self._buckets:
            whole += bucket
            counts.append(whole)
        return DecisionTimes(BOUNDS_S, tuple(counts[:-1]), whole, self._total_s)

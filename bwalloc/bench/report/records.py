"""What a report shows, as plain data: whoever has these numbers can draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bwalloc.bench.statistics import Interval

Kind = Literal["classical", "agent", "reference"]
LEGACY = "static-peak"
CLAIRVOYANT = "clairvoyant"


@dataclass(frozen=True, slots=True)
class AllocatorRow:
    """One allocator; `money_usd_per_h` by term of `money.TERMS`, every term non-negative.

    `gain_over_legacy` is paired, in USD per hour; `episodes_ahead` counts where it is positive.
    """

    name: str
    kind: Kind
    net_usd_per_h: Interval
    regret: Interval
    gain_over_best_classical: Interval
    left: float | None = None
    slo_attainment: Mapping[str, float] = field(default_factory=dict[str, float])
    bill_usd_per_h: float = 0.0
    violations: int = 0
    decide_ms_p50: float | None = None
    decide_ms_p99: float | None = None
    money_usd_per_h: Mapping[str, float] = field(default_factory=dict[str, float])
    gain_over_legacy: Interval | None = None
    episodes_ahead: int | None = None
    stalled_gpu_h_per_h: float = 0.0


@dataclass(frozen=True, slots=True)
class SitePoint:
    """A node of the drawing; `y` points up."""

    name: str
    kind: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class LinkLine:
    """A directed link; mean `utilisation` (0 to 1) by allocator name, in the order of the maps."""

    source: int
    target: int
    capacity_gbps: float
    utilisation: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class NetworkDrawing:
    """The network; there is one map for each allocator of the first link's `utilisation`.

    `episodes` says which the utilisation is the mean of, for the caption.
    """

    sites: Sequence[SitePoint]
    links: Sequence[LinkLine]
    episodes: str = "all episodes"


@dataclass(frozen=True, slots=True)
class Panel:
    """What one class offered and was served under one allocator, one value per hour given."""

    traffic_class: str
    allocator: str
    offered_gbps: Sequence[float]
    served_gbps: Sequence[float]


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One episode; `hours` since its start are shared by all panels."""

    title: str
    hours: Sequence[float]
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Drawings:
    """What is drawn of one environment beside its numbers."""

    title: str = ""
    network: NetworkDrawing | None = None
    series: TimeSeries | None = None


@dataclass(frozen=True, slots=True)
class EnvReport:
    """One environment; `title` falls back on the slug."""

    slug: str
    split: str
    episodes: int
    bound_usd_per_h: Interval
    best_classical: str
    rows: Sequence[AllocatorRow]
    title: str = ""
    left_out: Sequence[str] = ()
    network: NetworkDrawing | None = None
    series: TimeSeries | None = None
    interrupted: bool = False
    seeds: Sequence[int] = ()

    @property
    def legacy(self) -> AllocatorRow | None:
        """The row of legacy provisioning, if it was played."""
        return next((row for row in self.rows if row.name == LEGACY), None)

    @property
    def ranked(self) -> list[AllocatorRow]:
        """Rows, the most money first."""
        return sorted(self.rows, key=lambda row: -row.net_usd_per_h.mean)

    @property
    def contenders(self) -> list[AllocatorRow]:
        """Ranked rows that decide without knowing more than they may: all but references."""
        return [row for row in self.ranked if row.kind != "reference"]

    @property
    def classes(self) -> list[str]:
        """Traffic classes that any row attains, in the order they are met."""
        return list(dict.fromkeys(name for row in self.rows for name in row.slo_attainment))


@dataclass(frozen=True, slots=True)
class Report:
    """A run of `compare`: its environments, and what is needed to repeat it.

    `inputs` are the facts of replayed traces by class, at least `rows` and `sha256`.
    """

    environments: Sequence[EnvReport]
    command: str
    commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    title: str = "bwalloc comparison"
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

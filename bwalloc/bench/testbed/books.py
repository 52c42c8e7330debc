"""What endpoints counted as the books of the simulator: one law of money for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.bench.testbed.endpoint import BINS_PER_E
from bwalloc.money import TERMS, net_usd
from bwalloc.sim.state import Flows, State
from bwalloc.sim.terms import MoneyTerms

if TYPE_CHECKING:
    from bwalloc.bench.testbed.run import Run
    from bwalloc.bench.testbed.wiring import Scale
    from bwalloc.scenario import Scenario, World

QUEUE_QUANTILE = 0.99


@dataclass(frozen=True, slots=True)
class Books:
    """One run, warm-up not counted; volumes are by demand, (demands,), in Gbit of the network.

    Attributes:
        terms: USD by term of the ledger.
        sent_gbit, received_gbit: handed to the network, and come out of it, warm-up included.
        p99_delay_s: by traffic class, from arrival to reception, in seconds of the network.
        cpu_s: of all endpoints, by the clock of this machine.
    """

    terms: dict[str, float]
    offered_gbit: np.ndarray
    served_gbit: np.ndarray
    attained_gbit: np.ndarray
    expired_gbit: np.ndarray
    sent_gbit: float
    received_gbit: float
    retransmitted: int
    p99_delay_s: dict[str, float]
    cpu_s: float

    @property
    def net_usd(self) -> float:
        """Money."""
        return float(net_usd(self.terms))

    @property
    def served_share(self) -> float:
        """Of what was offered."""
        return float(self.served_gbit.sum() / max(self.offered_gbit.sum(), 1e-12))

    @property
    def attained_share(self) -> float:
        """Within the delay budget, of what was offered."""
        return float(self.attained_gbit.sum() / max(self.offered_gbit.sum(), 1e-12))

    @property
    def lost_share(self) -> float:
        """Of what was handed to the network and did not come out."""
        return max(0.0, 1.0 - self.received_gbit / max(self.sent_gbit, 1e-12))


def books_of(scenario: Scenario, world: World, run: Run, scale: Scale) -> Books:
    """The books of a run, by the time at which things happened."""
    gbit = 1.0 / scale.bytes_per_gbit
    served, attained, expired, waiting = (
        np.array(_by_substep(scenario, run, name)) * gbit
        for name in ("served", "attained", "expired", "waiting")
    )
    offered = _offered(scenario, world)
    skipped = scenario.timing.warmup_intervals * scenario.timing.substeps
    demands = [each for book in run.books.values() for each in book["demands"].values()]
    received = sum(sum(row.values()) for b in run.books.values() for row in b["carried"].values())
    return Books(
        terms=_terms(scenario, run, offered, served, attained, expired, waiting, gbit),
        offered_gbit=offered[:, skipped:].sum(1),
        served_gbit=served[:, skipped:].sum(1),
        attained_gbit=attained[:, skipped:].sum(1),
        expired_gbit=expired[:, skipped:].sum(1),
        sent_gbit=sum(sum(each["sent"]) for each in demands) * gbit,
        received_gbit=received * gbit,
        retransmitted=sum(sum(each["retransmitted"]) for each in demands),
        p99_delay_s=_delays(scenario, run, scale),
        cpu_s=sum(book["cpu_s"] for book in run.books.values()),
    )


def _offered(scenario: Scenario, world: World) -> np.ndarray:
    """Arrivals by substep, jobs in the first of their interval, (demands, substeps)."""
    offered = world.arrivals_gbit.astype(np.float64).copy()
    if world.jobs_gbit is not None:
        offered[:, 0] += world.jobs_gbit.sum(2)
    return offered.reshape(-1, scenario.network.n_demands).T


def _by_substep(scenario: Scenario, run: Run, name: str) -> np.ndarray:
    """A count of the endpoints, (demands, substeps), in bytes."""
    count = scenario.timing.intervals * scenario.timing.substeps
    table = np.zeros((scenario.network.n_demands, count))
    for book in run.books.values():
        own = book.get(name)
        rows: dict[str, Any] = own or {row: each.get(name) for row, each in book["demands"].items()}
        for row, found in rows.items():
            if isinstance(found, list):
                table[int(row), : len(found)] = found[:count]
            else:
                for substep, work in (found or {}).items():
                    table[int(row), min(int(substep), count - 1)] += work
    return table


def _terms(
    scenario: Scenario,
    run: Run,
    offered: np.ndarray,
    served: np.ndarray,
    attained: np.ndarray,
    expired: np.ndarray,
    waiting: np.ndarray,
    gbit: float,
) -> dict[str, float]:
    """The law of the environment over all counted intervals."""
    price, timing, law = MoneyTerms(scenario), scenario.timing, scenario.network.law
    share = np.where(np.isinf(law.value_until), 0.0, law.value_until)[:, :, None]
    free = np.where(np.isinf(law.value_until), np.inf, 0.0)[:, :, None]
    limit = offered[:, None] * share + free
    worth = law.step_usd_per_gbit[:, :, None] * np.minimum(served[:, None], limit)
    by_interval = [_intervals(each, timing.substeps) for each in (served, expired, attained)]
    value, wait = (
        _intervals(each, timing.substeps) for each in (worth.sum(1), waiting * timing.substep_s)
    )
    carried = _carried(scenario, run)
    left = _left(scenario, run) * gbit
    total = dict.fromkeys(TERMS, 0.0)
    rates = [np.zeros_like(run.rates_gbps[0]), *run.rates_gbps]
    for at in range(timing.warmup_intervals, timing.intervals):
        flows = Flows(
            *(each[:, at, None] for each in by_interval),
            delivered_usd=value[:, at, None],
            waiting_gbit_s=wait[:, at, None],
            carried_gbit=carried
            * by_interval[0][:, at, None].repeat(scenario.network.n_tunnels, 0),
            stalled_s=np.zeros((len(scenario.network.groups.name), 1)),
        )
        before, after = (
            State(np.array([at + k]), left[:, None, None], left[:, None], rates[at + k][..., None],
                  np.zeros((5, 0, 1), np.int64), np.zeros((0, 1)))
            for k in (0, 1)
        )  # fmt: skip
        for name, usd in price(before, flows, after).items():
            total[name] += float(np.asarray(usd).ravel()[0])
    return total


def _intervals(table: np.ndarray, substeps: int) -> np.ndarray:
    return table.reshape(len(table), -1, substeps).sum(2)


def _carried(scenario: Scenario, run: Run) -> np.ndarray:
    """Share of a demand's served work that each tunnel carried, (demands * tunnels, 1)."""
    network = scenario.network
    table = np.zeros((network.n_demands, network.n_tunnels))
    for book in run.books.values():
        for row, tunnels in book["carried"].items():
            for tunnel, work in tunnels.items():
                table[int(row), int(tunnel)] += work
    return (table / np.maximum(table.sum(1, keepdims=True), 1e-12)).reshape(-1, 1)


def _left(scenario: Scenario, run: Run) -> np.ndarray:
    left = np.zeros(scenario.network.n_demands)
    for book in run.books.values():
        for row, each in book["demands"].items():
            left[int(row)] = each["left"]
    return left


def _delays(scenario: Scenario, run: Run, scale: Scale) -> dict[str, float]:
    kinds = scenario.network.demands.traffic_class
    bins: dict[str, dict[int, float]] = {}
    for book in run.books.values():
        for row, found in book["delays"].items():
            mine = bins.setdefault(kinds[int(row)], {})
            for at, work in found.items():
                mine[int(at)] = mine.get(int(at), 0.0) + work
    return {kind: _quantile(found) * scale.time for kind, found in sorted(bins.items())}


def _quantile(found: dict[int, float]) -> float:
    """Of logarithmic bins weighted by work."""
    places = sorted(found)
    heaps = np.cumsum([found[at] for at in places])
    at = int(np.searchsorted(heaps, QUEUE_QUANTILE * heaps[-1]))
    return float(np.exp(places[min(at, len(places) - 1)] / BINS_PER_E))

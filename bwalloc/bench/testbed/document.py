"""A testbed as a document: everything that was measured, beside the simulator."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.bench.testbed.verdict import all_pairs, served_gaps, simulated, usd_per_h, verdict
from bwalloc.provenance import commit, machine, versions

if TYPE_CHECKING:
    from bwalloc.bench.testbed.testbed import Measured, Trial
    from bwalloc.scenario.enforcement import Enforcement
    from bwalloc.sim.play import Played

SCHEMA = 1
STEPS = ("read", "decide", "apply")


def document(testbed: Trial, command: str) -> dict[str, Any]:
    """Plain data for a JSON file."""
    wanted, timing = testbed.wanted, testbed.scenario.timing
    return {
        "schema": SCHEMA,
        "command": command,
        "commit": commit(),
        "machine": machine(),
        "load_average": round(os.getloadavg()[0], 2),
        "versions": versions("bwalloc", "numpy"),
        "env": testbed.scenario.id,
        "digest": testbed.scenario.digest,
        "split": wanted.split,
        "seed": wanted.seed,
        "repetitions": wanted.repetitions,
        "scale": {"rate": testbed.scale.rate, "time": testbed.scale.time},
        "namespaces": {str(number): sites for number, sites in testbed.spaces.items()},
        "intervals": timing.intervals,
        "warmup_intervals": timing.warmup_intervals,
        "interval_s": timing.interval_s / testbed.scale.time,
        "load_mbps": _load_mbps(testbed),
        "is_interrupted": testbed.interrupted,
        "allocators": {name: _allocator(testbed, name) for name in testbed.measured},
        "pairs": all_pairs(testbed),
        "verdict": verdict(testbed),
    }


def _load_mbps(testbed: Trial) -> float:
    timing = testbed.scenario.timing
    gbps = float(testbed.world.arrivals_gbit.sum()) / (timing.intervals * timing.interval_s)
    return round(gbps * testbed.scale.rate * 1e3, 2)


def _allocator(testbed: Trial, name: str) -> dict[str, Any]:
    runs, side = testbed.measured[name], testbed.simulated[name]
    hours = testbed.scenario.timing.counted_h
    return {
        "packets": _packets(testbed, name, runs),
        "simulator": _simulated(side.plain, hours),
        "simulator_with_plane": _simulated(side.enforced, hours),
        "simulator_late": _simulated(simulated(testbed, name, "late"), hours),
        "enforcement": _parameters(side.enforcement),
        "served_gap": served_gaps(testbed)[name],
        "served_gap_with_plane": served_gaps(testbed, "enforced")[name],
        "served_gap_late": served_gaps(testbed, "late")[name],
    }


def _parameters(law: Enforcement | None) -> dict[str, float]:
    """What `simulator_late` was played with, as the overrides that play it again."""
    names = ("burst_s", "burst_gbit", "update_latency_s", "least_gbps")
    return {f"enforcement.{name}": float(getattr(law, name)) for name in names}


def _packets(testbed: Trial, name: str, runs: list[Measured]) -> dict[str, Any]:
    books = [run.books for run in runs]
    spent = np.concatenate([run.spent_ms for run in runs])
    wire = np.concatenate([run.wire_over_set for run in runs])
    classes = testbed.scenario.network.demands.classes
    return {
        "net_usd_per_h": spread(usd_per_h(testbed, name)),
        "offered_gbit": float(books[0].offered_gbit.sum()),
        "served_share": spread([each.served_share for each in books]),
        "slo_attainment": spread([each.attained_share for each in books]),
        "lost_share": spread([each.lost_share for each in books]),
        "retransmitted_segments": [each.retransmitted for each in books],
        "classes": {kind: _class(testbed, runs, kind) for kind in classes},
        "loop_ms": {step: quantiles(spent[:, at]) for at, step in enumerate(STEPS)},
        "loop_whole_ms": quantiles(spent.sum(1)),
        "late_decisions": sum(run.late for run in runs),
        "wire_over_set": {**_middle(wire), "count": len(wire)},
        "endpoint_cpu_s": [round(each.cpu_s, 2) for each in books],
        "notes": [note for run in runs for note in run.notes][:20],
    }


def _class(testbed: Trial, runs: list[Measured], kind: str) -> dict[str, Any]:
    rows = testbed.scenario.network.demands.rows_of(kind)
    offered = float(runs[0].books.offered_gbit[rows].sum()) or float("nan")
    shares = {
        "served_share": [float(run.books.served_gbit[rows].sum()) / offered for run in runs],
        "slo_attainment": [float(run.books.attained_gbit[rows].sum()) / offered for run in runs],
        "p99_queue_delay_s": [run.books.p99_delay_s.get(kind, float("nan")) for run in runs],
    }
    return {name: spread(values) for name, values in shares.items()}


def _simulated(played: Played, hours: float) -> dict[str, Any]:
    offered = np.where(played.offered_gbit[:, 0] > 0, played.offered_gbit[:, 0], np.nan)
    return {
        "net_usd_per_h": float(played.net_usd[0]) / hours,
        "served_share": float(played.served_gbit.sum() / played.offered_gbit.sum()),
        "slo_attainment": float(played.attained_gbit.sum() / played.offered_gbit.sum()),
        "classes": {
            kind: {
                "served_share": float(played.served_gbit[row, 0] / offered[row]),
                "slo_attainment": float(played.attained_gbit[row, 0] / offered[row]),
            }
            for row, kind in enumerate(played.classes)
        },
    }


def spread(values: Any) -> dict[str, Any]:
    """Mean and standard deviation over repetitions, and each of them."""
    found = np.asarray(values, np.float64)
    deviation = float(found.std(ddof=1)) if len(found) > 1 else float("nan")
    return {"mean": float(found.mean()), "sd": deviation, "runs": found.tolist()}


def quantiles(values: Any) -> dict[str, float]:
    """Median and 99th percentile."""
    if not len(values):
        return {"p50": float("nan"), "p99": float("nan")}
    return {name: float(np.quantile(values, q)) for name, q in (("p50", 0.5), ("p99", 0.99))}


def _middle(values: np.ndarray) -> dict[str, float]:
    places = (("p5", 0.05), ("p50", 0.5), ("p95", 0.95))
    return {
        name: float(np.quantile(values, q)) if len(values) else float("nan") for name, q in places
    }

"""From the books of a comparison to the document of `compare --json` (DESIGN section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.bench import statistics
from bwalloc.bench.compare import BOUND, Comparison
from bwalloc.bench.players import LEGACY, kind_of
from bwalloc.bench.tasks import scenario_of
from bwalloc.provenance import PACKAGES, commit, versions
from bwalloc.scenario import trace_statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwalloc.sim.play import Played


def summarise(comparison: Comparison) -> dict[str, Any]:
    """The `results` entry of one environment; intervals are 95 % bootstrap over episodes."""
    scenario = scenario_of(comparison.setting)
    hours = scenario.timing.counted_h
    money = {name: played.net_usd / hours for name, played in comparison.played.items()}
    seeds = comparison.setting.seeds
    bound = np.array([comparison.bound_usd_per_h.get(seed, np.nan) for seed in seeds])
    best = best_classical(money)
    return {
        "env": scenario.slug,
        "split": comparison.setting.split,
        "input": trace_statistics(scenario),
        "episodes": len(seeds),
        "wall_s": comparison.whole_s,
        "bound": {
            "net_usd_per_h": _interval(statistics.mean_interval(bound)),
            "wall_s": comparison.spent_s.get(BOUND),
        },
        "best_classical": best,
        "left_out": comparison.left_out,
        "interrupted": comparison.interrupted,
        "allocators": {
            name: _row(comparison, name, money, bound, best, hours) for name in comparison.played
        },
        "episode_results": [
            {
                "seed": seed,
                "bound": float(bound[row]),
                "net_usd_per_h": {name: float(value[row]) for name, value in money.items()},
            }
            for row, seed in enumerate(seeds)
        ],
    }


def best_classical(money: dict[str, np.ndarray]) -> str:
    """The name with the highest mean among the classical allocators that ran."""
    classical = [name for name in money if kind_of(name) == "classical"]
    return max(classical, key=lambda name: float(money[name].mean()))


def _row(
    comparison: Comparison,
    name: str,
    money: dict[str, np.ndarray],
    bound: np.ndarray,
    best: str,
    hours: float,
) -> dict[str, Any]:
    played, mine = comparison.played[name], money[name]
    clairvoyant = money.get("clairvoyant")
    gain = statistics.paired_gain(mine, money[best])
    return {
        "kind": kind_of(name),
        "net_usd_per_h": _interval(statistics.mean_interval(mine)),
        "regret": _interval(statistics.regret(bound, mine, money[LEGACY])),
        "gain_over_best_classical_usd_per_h": _interval(gain),
        "left": None if clairvoyant is None else float(statistics.left(mine, clairvoyant)),
        "terms_usd_per_h": {
            term: float(value.mean() / hours) for term, value in played.terms.items()
        },
        "slo_attainment": attainment(played),
        "deadline_hit_rate": _ratio(played.served_gbit, played.served_gbit + played.expired_gbit),
        "stalled_gpu_hours_per_h": float(played.stalled_gpu_s.mean() / 3600.0 / hours),
        "bill_usd_per_h": float(played.terms["bandwidth"].mean() / hours),
        "orders": _orders(played, hours),
        "overrun_gbit": float(played.overrun_gbit.sum()),
        "violations": played.violations,
        "recovery_s": _recovery(played.recovery_s),
        "tenants": {
            name: {
                "minutes_below_floor_per_h": float(each.below_floor_min.mean() / hours),
                "slo_credit_usd": float(each.credit_usd.mean()),
            }
            for name, each in played.tenants.items()
        },
        "decide_ms": comparison.decide_ms.get(name) or None,
        "wall_s": comparison.spent_s.get(name),
    }


def _orders(played: Played, hours: float) -> dict[str, float] | None:
    """Orders accepted per span and day, and the share of them that came to nothing."""
    if not played.orders.size:
        return None
    per_day = float(played.orders.mean() / hours * 24.0)
    return {"per_span_day": per_day, "rejected": _ratio(played.rejected, played.orders)}


def _recovery(seconds: np.ndarray) -> dict[str, float] | None:
    """How many failures struck served demands, and how long service took to come back."""
    if not seconds.size:
        return None
    p95 = float(np.quantile(seconds, 0.95))
    return {"failures": len(seconds), "mean": float(seconds.mean()), "p95": p95}


def attainment(played: Played) -> dict[str, float]:
    """Share of the work that was served or expired which was served within its budget, by class."""
    ended = played.served_gbit + played.expired_gbit
    return {
        kind: _ratio(played.attained_gbit[row], ended[row])
        for row, kind in enumerate(played.classes)
    }


def document(command: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole document, with what is needed to repeat it.

    Its `input` holds what is the same in every environment; the mean load of a trace may not be.
    """
    return {
        "schema": 1,
        "command": command,
        "commit": commit(),
        "versions": versions(*PACKAGES),
        "input": _shared_inputs([result["input"] for result in results]),
        "results": results,
    }


def _shared_inputs(inputs: Sequence[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Facts of replayed traces by class, but for those in which environments differ."""
    shared: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for each in inputs for name in each):
        facts = [each[name] for each in inputs if name in each]
        shared[name] = {
            key: value
            for key, value in facts[0].items()
            if all(other[key] == value for other in facts)
        }
    return shared


def _ratio(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / max(float(whole.sum()), 1e-12))


def _interval(interval: Any) -> dict[str, float]:
    return {"mean": float(interval.mean), "lo": float(interval.lo), "hi": float(interval.hi)}

"""What `info` holds: money by term, SLO counters, violations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from bwalloc.gym.engine import Engine, Outcome


def columns_of(engine: Engine, outcome: Outcome) -> dict[str, Any]:
    """`info` of a batch: arrays (B,), terms and classes as nested dicts.

    `reward_terms` are USD, each non-negative as in the ledger; `slo` holds, per traffic class, the
    work that ended in the interval and how much of it kept its SLO, in Gbit; `violations` counts
    decisions whose rates did not fit the links.
    """
    flows = outcome.flows
    attained = engine.members @ flows.attained_gbit
    ended = engine.members @ (flows.served_gbit + flows.expired_gbit)
    return {
        "reward_terms": dict(outcome.terms),
        "slo": {
            name: {"attained_gbit": attained[row], "ended_gbit": ended[row]}
            for row, name in enumerate(engine.classes)
        },
        "violations": outcome.violations,
        "interval": engine.state.interval.copy(),
    }


def row_of(info: dict[str, Any], column: int) -> dict[str, Any]:
    """`info` of one environment, as plain numbers."""
    return {
        name: row_of(value, column) if isinstance(value, dict) else value[column].item()
        for name, value in info.items()
    }


def with_masks(info: dict[str, Any], present: np.ndarray) -> dict[str, Any]:
    """`info` as Gymnasium's vector environments give it: beside each key `_key`, who has it."""
    marked: dict[str, Any] = {}
    for name, value in info.items():
        marked[name] = with_masks(value, present) if isinstance(value, dict) else value
        marked[f"_{name}"] = present
    return marked

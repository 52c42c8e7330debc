"""Decisions made by trusted code, without the validation that strangers' records go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.control import SCHEMA, Decision, Order

if TYPE_CHECKING:
    from datetime import datetime


def trusted_decision(
    *,
    id: str,  # noqa: A002 - the record's own name
    demands: tuple[str, ...],
    rates_gbps: np.ndarray,
    valid_until: datetime,
    source: str,
    policy_version: str,
    orders: tuple[Order, ...] = (),
    reasons: tuple[str, ...] = (),
) -> Decision:
    """A `Decision` whose numbers were checked already: finite, not negative, a row per demand.

    The rates are copied and cannot be written to.
    """
    rates = np.array(rates_gbps, np.float64)
    rates.setflags(write=False)
    made = object.__new__(Decision)
    made.__dict__.update(
        id=id,
        demands=demands,
        rates_gbps=rates,
        valid_until=valid_until,
        source=source,
        policy_version=policy_version,
        orders=orders,
        reasons=reasons,
        schema=SCHEMA,
    )
    return made

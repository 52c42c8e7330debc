"""The terms of the money, and the one place where they are added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TERMS = ("delivered", "expired", "late", "stall", "bandwidth", "egress", "churn")
"""Names of the terms; every term is a non-negative amount in USD."""

COSTS = TERMS[1:]
"""Terms that are subtracted."""


def net_usd(terms: Mapping[str, Any]) -> Any:
    """Delivered value minus every cost; works on floats and on arrays of any batch."""
    return terms["delivered"] - sum(terms[name] for name in COSTS)

"""The terms of the money, and the one place where they are added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Term(NamedTuple):
    """One term of the money of an interval: a non-negative amount in USD, added or subtracted.

    `formula` is TeX in the symbols of `SYMBOLS`.
    """

    name: str
    sign: int
    formula: str
    meaning: str


LAW = (
    Term(
        "delivered",
        1,
        r"\sum_d \sum_j (v_{dj} - v_{d,j+1}) \min(s_d,\, u_{dj} o_d)",
        "value of the work served, per substep; concave where a class has a ladder of values",
    ),
    Term(
        "expired",
        -1,
        r"\sum_d e_d x_d + [t = T] \sum_d c_d q_d",
        "fee for work past its deadline; in the last interval, for what is still queued",
    ),
    Term("late", -1, r"\sum_d l_d w_d", "cost of waiting"),
    Term("stall", -1, r"\sum_g n_g p_g \tau_g / 3600", "GPUs that wait for a group of demands"),
    Term("bandwidth", -1, r"\sum_k b_k \Delta / 3600", "the bill of the spans"),
    Term("egress", -1, r"\sum_{d,i} f_{di} y_{di}", "fees for traffic that leaves a cloud"),
    Term("churn", -1, r"\chi \sum_{d,i} \lvert r_{di} - r'_{di} \rvert", "cost of changing rates"),
)
"""The terms in the order of every report. The money of an interval is their signed sum."""

SYMBOLS = {
    r"d, i, j, g, k": "demand, tunnel, piece of its value, group, span",
    r"t, T, \Delta": "interval, last interval, seconds of an interval",
    r"o_d, s_d, x_d, q_d": "Gbit offered, served, expired, still queued",
    r"w_d": "Gbit-seconds spent waiting",
    r"v_{dj}, u_{dj}": "USD per Gbit of a piece, the share of the offered work where it ends",
    r"e_d, l_d, c_d": "USD per Gbit expired, per Gbit-second late, per Gbit settled at the end",
    r"n_g, p_g, \tau_g": "GPUs of a group, USD per GPU-hour, seconds it stalled",
    r"b_k": "USD per hour of a span",
    r"f_{di}, y_{di}": "egress fee of a tunnel in USD per Gbit, Gbit carried on it",
    r"r_{di}, r'_{di}, \chi": "rate now and before in Gbit/s, USD per Gbit/s changed",
}
"""What the symbols in `LAW` mean."""

TERMS = tuple(term.name for term in LAW)
"""Names of the terms; every term is a non-negative amount in USD."""

COSTS = tuple(term.name for term in LAW if term.sign < 0)
"""Terms that are subtracted."""


def net_usd(terms: Mapping[str, Any]) -> Any:
    """Delivered value minus every cost; works on floats and on arrays of any batch."""
    return terms["delivered"] - sum(terms[name] for name in COSTS)

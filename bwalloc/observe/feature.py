"""The tables of features: name, bounds and meaning of every number that a policy sees."""

from __future__ import annotations

from typing import NamedTuple


class Feature(NamedTuple):
    """One number a policy sees; `meaning` is a sentence for people."""

    name: str
    low: float
    high: float
    meaning: str


DEMAND_FEATURES = (
    Feature("size", -6, 1, "log10 of trailing mean / widest path, both Gbit/s"),
    Feature("last", -5, 4, "log of the last interval's load / trailing mean"),
    Feature("recent", -5, 4, "log of the load of the last 3 s / trailing mean"),
    Feature("peak", -5, 4, "log of the highest substep's load / trailing mean"),
    Feature("fast", -5, 4, "log of the mean over about 3 intervals / trailing mean"),
    Feature("medium", -5, 4, "log of the mean over about 18 intervals / trailing mean"),
    Feature("deviation", 0, 3, "log(1 + standard deviation of interval loads / trailing mean)"),
    Feature(
        "burst",
        0,
        3,
        "log(1 + mean of peak less mean in an interval / trailing mean)",
    ),
    Feature("backlog", 0, 6, "log(1 + queued work / trailing mean of an interval)"),
    Feature("urgent", 0, 1, "share of the queued work with the soonest deadline"),
    Feature("lost", 0, 1, "share of the work that ended in the last interval that expired"),
    Feature("stakes", -6, 0, "log10 of the share of all demands' value that this one carries"),
    Feature("want", -5, 4, "log of the rate `forecast` would ask for / trailing mean"),
    Feature("granted", -5, 4, "log of the rate of the last interval / trailing mean"),
    Feature("value", -6, 3, "log10 of value per Gbit / mean value of all demands"),
    Feature("deadline", -2, 3, "log10 of deadline / interval; 3 where work never expires"),
)
RHYTHM_FEATURES = (
    Feature("phase", 0, 3, "time since the last burst began / mean gap between beginnings"),
    Feature("until", -4, 12, "intervals until the next burst is due; 12 where none is known"),
    Feature("gap", 0, 3, "log10 of that gap / interval"),
    Feature("uneven", 0, 1, "standard deviation of gaps / their mean; 1 where none is known"),
)
"""Of a demand, where policies see everything; they stand before the features that never change."""
TUNNEL_FEATURES = (
    Feature("width", -3, 0, "log10 of the narrowest link / that of the demand's widest tunnel"),
    Feature("load", 0, 2, "utilisation of the most loaded link it crosses"),
    Feature("delay", 0, 2, "propagation / delay budget of the demand"),
)
LINK_FEATURES = (
    Feature("capacity", -3, 3, "log10 of capacity / mean capacity of all links"),
    Feature("load", 0, 2, "carried / capacity in the last interval"),
    Feature("pressure", 0, 4, "log(1 + what `forecast` asks across it / capacity)"),
    Feature("lends", 0, 1, "1 if unused guarantees are lent on it, 0 if it is policed"),
)
WORKS = Feature("works", 0, 1, "share of the capacity that announced works take within an hour")
"""Of a link, where policies see everything; stands before the features that never change."""
SPAN_FEATURES = (
    Feature("tier", 0, 1, "tier / largest tier of the menu"),
    Feature("load", -5, 5, "log2 of the load to expect when an order of now would land / tier"),
    Feature("paid", 0, 4, "hours for which the tier is paid"),
    Feature("pending", 0, 1, "1 if an order is on its way"),
    Feature("coming", -5, 5, "log2 of the tier on order / tier; 0 without an order"),
    Feature("age", 0, 2, "hours since the order was placed; 0 without one"),
    Feature("up", -6, 6, "log2 of the price of the step to the next tier / mean value of the load"),
    Feature("down", -6, 6, "log2 of the price of the step from the tier below / that value"),
    Feature("delay", 0, 4, "hours that an order of the slowest tier takes, 95th percentile"),
)
GLOBAL_FEATURES = (
    Feature("hour_sin", -1, 1, "sine of the UTC hour of day"),
    Feature("hour_cos", -1, 1, "cosine of the UTC hour of day"),
    Feature("week_sin", -1, 1, "sine of the UTC hour of the week"),
    Feature("week_cos", -1, 1, "cosine of the UTC hour of the week"),
    Feature("load", -5, 4, "log of all load of the last interval / all trailing means"),
)
TABLES = {
    "demands": DEMAND_FEATURES,
    "tunnels": TUNNEL_FEATURES,
    "links": LINK_FEATURES,
    "globals": GLOBAL_FEATURES,
}
"""The features of each kind of row, in the order of their columns; those that never change last."""
SPAN_TABLES = {
    **TABLES,
    "demands": (*DEMAND_FEATURES[:-2], *RHYTHM_FEATURES, *DEMAND_FEATURES[-2:]),
    "links": (*LINK_FEATURES[:-1], WORKS, LINK_FEATURES[-1]),
    "spans": SPAN_FEATURES,
}
"""The same where policies see everything: works, rhythms, and spans, which they order."""


def tables_of(*, spans: bool) -> dict[str, tuple[Feature, ...]]:
    """The features of each kind of row that a policy sees; with `spans` if it sees everything."""
    return SPAN_TABLES if spans else TABLES

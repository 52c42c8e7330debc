"""The classical allocators by name, and how each is built for a scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bwalloc.allocate.orders.planned import mpc_tiers, scenario_tiers
from bwalloc.allocate.orders.rules import (
    AutoscaledTiers,
    Newsvendor,
    OrderingRule,
    OrderLaw,
    ScheduledTiers,
    TwoBar,
    best_tier,
    peak_tier,
)
from bwalloc.allocate.rule import Asker, Context, DecodedRule, Rule
from bwalloc.allocate.rules.earliest_deadline import EarliestDeadline
from bwalloc.allocate.rules.forecast import Constant, Forecast, Guarantee
from bwalloc.allocate.rules.reactive import Autoscale, MaxMin, Proportional, StrictPriority
from bwalloc.allocate.rules.static import Schedule, Static, StaticPeak
from bwalloc.errors import unknown_name

if TYPE_CHECKING:
    from bwalloc.network import Network
    from bwalloc.observe import History

Tuned = Mapping[str, Mapping[str, float]]

_ASKERS: dict[str, Callable[[Context], Asker]] = {
    "static": Static,
    "static-peak": StaticPeak,
    "schedule": Schedule,
    "proportional": Proportional,
    "max-min": MaxMin,
    "autoscale": Autoscale,
    "forecast": Forecast,
    "guarantee": Guarantee,
}
CLASSICAL = (
    "static-peak",
    "static",
    "schedule",
    "autoscale",
    "proportional",
    "max-min",
    "strict-priority",
    "earliest-deadline",
    "last-value-lp",
    "mpc",
    "stochastic-lp",
    "constant",
    "forecast",
    "guarantee",
)
"""Names of kind `classical`, in the order of a table."""
ORDERING = ("best-tier", "newsvendor", "two-bar")
"""Classical too, where capacity can be ordered: the rates of `forecast`, orders of their own."""
REFERENCES = ("borrow-ideal", "clairvoyant")
"""Names of kind `reference`: they know or may do what no controller can."""


_LAWS: dict[str, Callable[[Context], OrderLaw]] = {
    "static-peak": peak_tier,
    "static": best_tier,
    "best-tier": best_tier,
    "schedule": ScheduledTiers,
    "autoscale": AutoscaledTiers,
    "newsvendor": Newsvendor,
    "mpc": mpc_tiers,
    "stochastic-lp": scenario_tiers,
}
"""Who orders by a law of its own; the others order by `two-bar`."""
_RATES_OF_FORECAST = frozenset({"schedule", "autoscale", *ORDERING})


def make_rule(name: str, network: Network, history: History, tuned: Tuned) -> Rule:
    """A classical allocator over arrays.

    Where capacity can be ordered the rule orders too (see `rule.Ordering`).

    Args:
        name: one of `CLASSICAL` or `ORDERING`.
        network: what it decides for.
        history: the record of the train split.
        tuned: constants by allocator name; those not given take their defaults.

    Raises:
        UnknownNameError: no classical allocator has this name.
    """
    if network.offers is None:
        return _rates_of("forecast" if name in ORDERING else name, network, history, tuned)
    base = _rates_of("forecast" if name in _RATES_OF_FORECAST else name, network, history, tuned)
    law = name if name in _LAWS else "two-bar"
    context = Context(network, history, tuned.get(law, {}))
    return OrderingRule(context, base, _LAWS.get(law, TwoBar)(context))


def _rates_of(name: str, network: Network, history: History, tuned: Tuned) -> Rule:
    """The rule that decides rates under this name."""
    context = Context(network, history, tuned.get(name, {}))
    if name in _ASKERS:
        return DecodedRule(network, _ASKERS[name](context))
    if name == "constant":
        base = Context(network, history, tuned.get("forecast", {}))
        return DecodedRule(network, Constant(context, base))
    if name == "strict-priority":
        return StrictPriority(context)
    if name == "earliest-deadline":
        return EarliestDeadline(context)
    if name in ("last-value-lp", "mpc"):
        from bwalloc.allocate.lp.planned import LastValueLp, Mpc  # highspy takes 0.3 s to import

        return LastValueLp(context) if name == "last-value-lp" else Mpc(context)
    if name == "stochastic-lp":
        from bwalloc.allocate.lp.stochastic_lp import StochasticLp

        return StochasticLp(context)
    known = (*CLASSICAL, *ORDERING, *REFERENCES)
    raise unknown_name(kind="allocator", name=name, known=known, remedy="See docs, 'Allocators'.")

"""The classical allocators by name, and how each is built for a scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bwalloc.allocate.forecast import Constant, Forecast, Guarantee
from bwalloc.allocate.reactive import Autoscale, MaxMin, Proportional, StrictPriority
from bwalloc.allocate.rule import Asker, Context, DecodedRule, Rule
from bwalloc.allocate.static import Schedule, Static, StaticPeak
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
    "last-value-lp",
    "mpc",
    "stochastic-lp",
    "constant",
    "forecast",
    "guarantee",
)
"""Names of kind `classical`, in the order of a table."""
REFERENCES = ("borrow-ideal", "clairvoyant")
"""Names of kind `reference`: they know or may do what no controller can."""


def make_rule(name: str, network: Network, history: History, tuned: Tuned) -> Rule:
    """A classical allocator over arrays.

    Args:
        name: one of `CLASSICAL`.
        network: what it decides for.
        history: the record of the train split.
        tuned: constants by allocator name; those not given take their defaults.

    Raises:
        UnknownNameError: no classical allocator has this name.
    """
    context = Context(network, history, tuned.get(name, {}))
    if name in _ASKERS:
        return DecodedRule(network, _ASKERS[name](context))
    if name == "constant":
        base = Context(network, history, tuned.get("forecast", {}))
        return DecodedRule(network, Constant(context, base))
    if name == "strict-priority":
        return StrictPriority(context)
    if name in ("last-value-lp", "mpc"):
        from bwalloc.allocate.planned import LastValueLp, Mpc  # highspy takes 0.3 s to import

        return LastValueLp(context) if name == "last-value-lp" else Mpc(context)
    if name == "stochastic-lp":
        from bwalloc.allocate.stochastic_lp import StochasticLp

        return StochasticLp(context)
    known = (*CLASSICAL, *REFERENCES)
    raise unknown_name(kind="allocator", name=name, known=known, remedy="See docs, 'Allocators'.")

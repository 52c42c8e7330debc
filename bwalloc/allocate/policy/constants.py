"""Names of the constants that an environment file may set for allocators and for the action."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bwalloc.allocate.policy.correction import PARTS, SPAN_PARTS
from bwalloc.errors import ScenarioError, nearest
from bwalloc.workloads import TRAFFIC_CLASSES

PER_CLASS = ".*"
_LEVEL = ("alpha", "quantile", "value_exponent", "spare_exponent", "margin.*")
_PLANNED = ("order_h", "lead", "worth", "thrift")
"""Of orders that are planned over a horizon."""
CONSTANTS: dict[str, tuple[str, ...]] = {
    "static-peak": (),
    "static": ("factor", "worth", "thrift"),
    "schedule": ("factor", "worth", "lead", "thrift"),
    "autoscale": ("window", "headroom", "up", "down", "thrift"),
    "best-tier": ("worth", "thrift"),
    "newsvendor": ("worth", "sigma", "horizon_h", "thrift"),
    "two-bar": ("renewal", "bar", "lead", "thrift"),
    "proportional": ("over",),
    "max-min": ("over",),
    "strict-priority": ("over.*",),
    "earliest-deadline": ("over.*", "value_exponent"),
    "last-value-lp": ("margin.*",),
    "mpc": ("horizon", "alpha", "tau_h", "margin.*", *_PLANNED, "headroom"),
    "stochastic-lp": ("alpha", "patience", "smoothing", "margin.*", *_PLANNED, "tau_h"),
    "forecast": (*_LEVEL, "floor", "mix.*"),
    "guarantee": (*_LEVEL, "mix"),
    "constant": ("reserve.*", "weight.*", "spare.*"),
    "action": tuple(part.name for part in (*PARTS, *SPAN_PARTS)),
}
"""By allocator; a name that ends in `.*` stands for one constant per traffic class."""
_SHARE, _EXPONENT, _SCALE = (0.0, 1.0), (-10.0, 10.0), (0.0, 20.0)
RANGES: dict[str, tuple[float, float]] = {
    "alpha": _SHARE,
    "quantile": _SHARE,
    "floor": _SHARE,
    "mix": _SHARE,
    "lead": _SHARE,
    "worth": _SCALE,
    "sigma": (0.0, 3.0),
    "horizon_h": (0.01, 24.0),
    "order_h": (0.01, 24.0),
    "renewal": _EXPONENT,
    "bar": _EXPONENT,
    "thrift": (0.0, 30.0),
    "value_exponent": _EXPONENT,
    "spare_exponent": _EXPONENT,
    "margin": (0.0, 100.0),
}
"""Constants that index or overflow beyond these; a part of the action lies within `_SCALE`."""


def check_constants(tuned: Mapping[str, Mapping[str, float]], where: str, table: str = "") -> None:
    """Refuse what no allocator would read, or could not work with.

    A misspelt name would leave its default in force.

    Args:
        tuned: constants by allocator name, and the scales of the action under `action`.
        where: the file or environment, as the message names it.
        table: that holds them; by default as in environment files.

    Raises:
        ScenarioError: An allocator or a constant is unknown, and the nearest is named; or a number
            is out of its range.
    """
    for allocator, constants in tuned.items():
        if allocator not in CONSTANTS:
            msg = f"{where}, allocators.{allocator}: is no allocator with constants. "
            raise ScenarioError(msg + nearest(allocator, CONSTANTS))
        known = _spelt_out(CONSTANTS[allocator])
        usual = allocator if allocator == "action" else f"allocators.{allocator}"
        section = f"{table}.{allocator}" if table else usual
        for name, value in constants.items():
            if name not in known:
                msg = f"{where}, {section}.{name}: is no constant of '{allocator}'. "
                raise ScenarioError(msg + nearest(name, known))
            low, high = _range(allocator, name)
            if not low <= value <= high:
                msg = f"{where}, {section}.{name}: got {value:g}, must be {low:g} to {high:g}."
                raise ScenarioError(msg)


def _range(allocator: str, name: str) -> tuple[float, float]:
    everything = (-math.inf, math.inf)
    return _SCALE if allocator == "action" else RANGES.get(name.partition(".")[0], everything)


def _spelt_out(names: tuple[str, ...]) -> list[str]:
    return [
        name.removesuffix("*") + kind
        for name in names
        for kind in (TRAFFIC_CLASSES if name.endswith(PER_CLASS) else ("",))
    ]

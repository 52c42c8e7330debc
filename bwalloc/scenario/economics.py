"""What a class of traffic is worth where an environment file does not say otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bwalloc.errors import ScenarioError, nearest

if TYPE_CHECKING:
    from bwalloc.scenario.schema import ClassSection


@dataclass(frozen=True, slots=True)
class Economics:
    """Money and deadlines of one traffic class.

    `value_usd_per_gbit` holds one number per piece of the concave value, `value_until` the share
    of the offered work at which each piece ends (none: one piece without end). Where
    `value_at_gpu_hour_usd` is set, value grows with the GPU price and holds at that one.
    """

    traffic_class: str
    deadline_s: float
    budget_ms: float
    value_usd_per_gbit: tuple[float, ...]
    value_until: tuple[float, ...] = ()
    value_at_gpu_hour_usd: float | None = None
    expiry_usd_per_gbit: float = 0.0
    late_usd_per_gbit_s: float = 0.0
    settle_usd_per_gbit: float | None = None
    borrow_weight: float = 1.0


# Interactive text: 0.00036 USD and 0.00047 Gbit a request of 1,155 + 211 tokens at the token
# price of a 70 B model. KV caches: 0.0026 USD of GPU time and 6.8 Gbit a 12 K-token prompt at
# 2.5 USD per GPU-hour, else recomputed. Video: 0.05 USD per camera-hour over the accuracies
# .6/.75/.87/.95 of the ladder .5/1/2/4 Mbit/s. Background and bulk: our choice; bulk is worth
# more than committed bandwidth (1e-4 USD/Gbit), and a missed deadline costs a fee.
DEFAULTS = (
    Economics("inference", 1.0, 100.0, (0.8,), borrow_weight=100.0),
    Economics("kv_transfer", 2.0, 2000.0, (3.9e-4,), (), 2.5, borrow_weight=10.0),
    Economics(
        "video_uplink",
        1.0,
        300.0,
        (0.018, 0.0044, 0.0018, 0.0006),
        (0.125, 0.25, 0.5, 1.0),
        borrow_weight=100.0,
    ),
    Economics("background", 1.0, math.inf, (1e-5,)),
    Economics("bulk_ingest", 3600.0, math.inf, (2e-4,), expiry_usd_per_gbit=2e-4, borrow_weight=3),
)

CLASSES = tuple(each.traffic_class for each in DEFAULTS)


def economics_of(traffic_class: str, section: ClassSection | None, where: str) -> Economics:
    """The economics of a class: its defaults, with what the file says instead.

    Raises:
        ScenarioError: If the ladder of values does not fit its shares.
    """
    default = next(each for each in DEFAULTS if each.traffic_class == traffic_class)
    if section is None:
        return default
    said = {name: getattr(section, name) for name in type(section).model_fields}
    said = {name: value for name, value in said.items() if value is not None and name != "source"}
    for name in ("value_usd_per_gbit", "value_until"):
        if name in said:
            said[name] = tuple(said[name])
    if len(said.get("value_usd_per_gbit", ())) == 1:
        said.setdefault("value_until", ())
    merged = replace(default, **said)
    _check_ladder(merged, f"{where}, classes.{traffic_class}")
    return merged


def check_classes(names: list[str], where: str) -> None:
    """Refuse names that are no traffic class.

    Raises:
        ScenarioError: Naming the nearest class.
    """
    for name in names:
        if name not in CLASSES:
            msg = f"{where}, classes.{name}: is no traffic class. {nearest(name, CLASSES)}"
            raise ScenarioError(msg)


def _check_ladder(economics: Economics, place: str) -> None:
    values, until = economics.value_usd_per_gbit, economics.value_until
    if not (len(values) == len(until) or (len(values) == 1 and not until)):
        msg = (
            f"{place}.value_until: got {len(until)} shares, expected {len(values)}, one per value."
        )
        raise ScenarioError(msg)
    if list(values) != sorted(values, reverse=True) or list(until) != sorted(until):
        msg = f"{place}: values {list(values)} must fall and shares {list(until)} must rise."
        raise ScenarioError(msg)

"""What each class of traffic is worth: its defaults, and what the file says instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bwalloc.errors import ScenarioError, nearest
from bwalloc.scenario.schema_demands import CheckpointDemand, DataFeedDemand, ModelPushDemand
from bwalloc.workloads import TRAFFIC_CLASSES, VARIETIES, DataFeedSpec, TrafficClass
from bwalloc.workloads.data_feed import READ_GBPS, remote_share

if TYPE_CHECKING:
    from bwalloc.scenario.schema import ClassSection
    from bwalloc.scenario.schema_demands import DemandSection

KNOWN = {**TRAFFIC_CLASSES, **VARIETIES}
"""Everything that has economics: classes, and varieties as `class/variety`."""


def variety_of(section: DemandSection) -> str:
    """Whose economics a demand has: those of its class, or of a variety of it."""
    if isinstance(section, CheckpointDemand) and section.direction == "restore":
        return "checkpoint/restore"
    if isinstance(section, ModelPushDemand) and section.event == "cold_start":
        return "model_push/cold_start"
    return section.traffic_class


def worth_of(economics: TrafficClass, section: DemandSection) -> TrafficClass:
    """Economics with the value that follows from the section: GPU time per Gbit of a data feed."""
    if not isinstance(section, DataFeedDemand):
        return economics
    law = section.model_dump(include={"miss_share", "epoch_s", "active_share", "mean_run_s"})
    read_gbps = READ_GBPS[section.workload][section.gpu]
    remote = float(remote_share(DataFeedSpec(("one",), 1.0, read_gbps, **law))[0])
    gbit_per_gpu_h = 3600.0 * read_gbps * remote * section.overhead
    return replace(economics, value_usd_per_gbit=(section.gpu_hour_usd / gbit_per_gpu_h,))


def economics_of(traffic_class: str, section: ClassSection | None, where: str) -> TrafficClass:
    """The economics of a class or variety: its defaults, with what the file says instead.

    Raises:
        ScenarioError: If the ladder of values does not fit its shares.
    """
    default = KNOWN[traffic_class]
    if section is None:
        return default
    said: dict[str, Any] = section.model_dump(exclude={"source"}, exclude_none=True)
    for name in ("value_usd_per_gbit", "value_until"):
        if name in said:
            said[name] = tuple(said[name])
    if len(said.get("value_usd_per_gbit", ())) == 1:
        said.setdefault("value_until", (float("inf"),))
    merged = replace(default, **said)
    _check_ladder(merged, f"{where}, classes.{traffic_class}")
    return merged


def check_classes(names: Iterable[str], where: str) -> None:
    """Refuse names that are no traffic class.

    Raises:
        ScenarioError: Naming the nearest class.
    """
    for name in names:
        if name not in KNOWN:
            msg = f"{where}: '{name}' is no traffic class. {nearest(name, KNOWN)}"
            raise ScenarioError(msg)


def _check_ladder(economics: TrafficClass, place: str) -> None:
    values, until = economics.value_usd_per_gbit, economics.value_until
    if len(values) != len(until):
        msg = (
            f"{place}.value_until: got {len(until)} shares, expected {len(values)}, one per value."
        )
        raise ScenarioError(msg)
    if not until or until[-1] != float("inf"):
        msg = f"{place}.value_until: got {list(until)}, expected inf as the last share."
        raise ScenarioError(msg)
    if list(values) != sorted(values, reverse=True) or list(until) != sorted(until):
        msg = f"{place}: values {list(values)} must fall and shares {list(until)} must rise."
        raise ScenarioError(msg)

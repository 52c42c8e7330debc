"""Building a `Scenario`: read the file, apply overrides, check, expand, route."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.errors import ScenarioError, TopologyError, WorkloadError, nearest
from bwalloc.money import CreditLaw
from bwalloc.network import Network
from bwalloc.network.privacy import wire_factor
from bwalloc.network.routing import route
from bwalloc.scenario.build_demands import (
    build_demands,
    build_groups,
    build_value_law,
    economics_by_row,
)
from bwalloc.scenario.build_network import build_network_topology
from bwalloc.scenario.build_offers import build_offers, with_offers
from bwalloc.scenario.build_workload import build_workload
from bwalloc.scenario.digest import digest_of
from bwalloc.scenario.economics import check_classes, variety_of
from bwalloc.scenario.enforcement import build_enforcement, header_factor
from bwalloc.scenario.expand import expand_demands, expand_services, stream_of
from bwalloc.scenario.failures import build_failures
from bwalloc.scenario.overrides import leaves, override
from bwalloc.scenario.scenario import RECORD_EPISODES, Scenario, Sizes, Timing, build_slots
from bwalloc.scenario.schema import EnvFile
from bwalloc.scenario.validate import validate

if TYPE_CHECKING:
    from bwalloc.scenario.expand import DemandRow, Stream

FOLLOWERS = ("inference", "kv_transfer", "model_push/cold_start")
"""Classes and varieties that follow the requests of a service."""
JOBS = ("bulk_ingest", "checkpoint", "model_push")
"""Classes whose work brings deadlines of its own."""


def read_env(path: Path, overrides: Mapping[str, Any] | None = None) -> tuple[EnvFile, int]:
    """The checked file with overrides, and the entropy of its worlds: the hash without them."""
    where = label(path)
    raw = _parse(path, where)
    env = validate(EnvFile, raw, where)
    with named(where):
        entropy = int(digest_of(env, path)[:16], 16)
    if overrides:
        known = list(leaves(env.model_dump(by_alias=True)))
        tree, written = override(raw, overrides, known, where)
        env = validate(EnvFile, tree, where, written)
    check_classes([*env.classes, *(s.absent_class for s in env.ood if s.absent_class)], where)
    by_class = env.enforcement.header_share_by_class
    check_classes(by_class, f"{where}, enforcement.header_share_by_class")
    _check_absent(env, where)
    return env, entropy


def _check_absent(env: EnvFile, where: str) -> None:
    """A shift that takes a class away must find it, else the split would not be shifted."""
    there = {section.traffic_class for section in env.demands.values()}
    for shift in env.ood:
        if shift.absent_class and shift.absent_class not in there:
            absent = shift.absent_class
            msg = f"{where}, ood '{shift.name}', absent_class: no demand is of class '{absent}'. "
            msg += nearest(absent, there)
            raise ScenarioError(msg)


def build_scenario(
    env: EnvFile,
    path: Path,
    entropy: int,
    *,
    sizes: Sizes | None = None,
    record_episodes: int = RECORD_EPISODES,
) -> Scenario:
    """The scenario that a checked file of one network describes; `sizes` pad its spaces."""
    where = label(path)
    timing = Timing(**env.time.model_dump(exclude={"source"}))
    with named(where):
        topology = build_network_topology(env, path, where)
        offers = build_offers(env.offers, topology, where)
        topology = with_offers(topology, offers)
        streams = expand_services(env, topology, where)
        rows = expand_demands(env, topology, where)
        followed = [_stream(row, streams, where) for row in rows]
        economics = economics_by_row(env, rows, where)
        demands = build_demands(rows, topology, economics)
        tunnels = route(
            topology,
            demands,
            tunnels_per_demand=env.tunnels.per_demand,
            explicit=env.tunnels.explicit,
        )
        churn = env.money.churn_usd_per_gbps
        of_row = [streams[index] if index >= 0 else None for index in followed]
        headers = header_factor(env, rows)
        wire = wire_factor(topology.links, demands, tunnels) * headers
        law = build_value_law(economics, of_row, churn).on_wire(wire)
        groups = build_groups(env, demands, where)
        has_jobs = np.array([name in JOBS for name in demands.traffic_class])
        workload = build_workload(env, topology, rows, streams, followed, entropy)
        network = Network(topology, demands, tunnels, law, groups, timing.interval_s, offers)
        return Scenario(
            id=env.id,
            slug=path.stem,
            title=env.title,
            network=network,
            timing=timing,
            slots=build_slots(demands.deadline_s, has_jobs, timing),
            workload=workload,
            reward_scale_usd=env.money.reward_scale_usd,
            tuned={**env.allocators, **({"action": env.action} if env.action else {})},
            digest=digest_of(env, path),
            sizes=sizes or sizes_of(network),
            record_episodes=record_episodes,
            rival=env.rival.allocator,
            failures=build_failures(env.failures, topology),
            credits=_credits(env),
            enforcement=build_enforcement(env, network, headers, where),
        )


def _credits(env: EnvFile) -> CreditLaw:
    law = env.credits
    return CreditLaw(law.usd_per_gbps_month, law.after_min, law.share)


def _stream(row: DemandRow, streams: list[Stream], where: str) -> int:
    follows = variety_of(row.section) in FOLLOWERS
    return stream_of(row, streams, where) if follows else -1


def _parse(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{where}: is not valid TOML: {error}."
        raise ScenarioError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{where}: cannot be read ({error}); must be a TOML file in UTF-8."
        raise ScenarioError(msg) from None


def label(path: Path) -> str:
    """The path as a reader knows it: relative to the working folder where it lies below it."""
    absolute, here = path.resolve(), Path(os.getcwd())
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


@contextmanager
def named(where: str) -> Generator[None]:
    """Put the file before errors that do not name it."""
    try:
        yield
    except OSError as error:
        msg = f"{where}: {error}"
        raise ScenarioError(msg) from None
    except (ScenarioError, TopologyError, WorkloadError) as error:
        if str(error).startswith(where):
            raise
        msg = f"{where}: {error}"
        is_law = isinstance(error, WorkloadError)
        raise (ScenarioError if is_law else type(error))(msg) from None


def sizes_of(network: Network) -> Sizes:
    """Sizes of observations and actions on one network."""
    spans = 0 if network.offers is None else len(network.offers.span)
    rows = (network.n_demands, network.n_tunnels, network.n_links)
    return Sizes(*rows, spans, len(network.groups.name))

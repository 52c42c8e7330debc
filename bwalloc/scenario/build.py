"""Building a `Scenario`: read the file, apply overrides, check, expand, route."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.errors import ScenarioError, TopologyError, WorkloadError
from bwalloc.network import Network
from bwalloc.network.routing import route
from bwalloc.scenario.build_demands import (
    build_demands,
    build_groups,
    build_value_law,
    economics_by_row,
)
from bwalloc.scenario.build_network import build_network_topology
from bwalloc.scenario.build_workload import build_workload
from bwalloc.scenario.catalogue import find
from bwalloc.scenario.digest import digest_of
from bwalloc.scenario.economics import check_classes
from bwalloc.scenario.expand import expand_demands, expand_services, stream_of
from bwalloc.scenario.overrides import leaves, override
from bwalloc.scenario.scenario import Scenario, Sizes, Timing, build_slots
from bwalloc.scenario.schema import EnvFile
from bwalloc.scenario.validate import validate

if TYPE_CHECKING:
    from bwalloc.scenario.expand import DemandRow, Stream

FOLLOWERS = ("inference", "kv_transfer")
"""Classes that follow the requests of a service."""


def load_scenario(
    name: str | Path,
    overrides: Mapping[str, Any] | None = None,
    envs: str | Path | None = None,
) -> Scenario:
    """The environment `name` (slug, id or path), with values replaced by dotted key.

    Args:
        name: Slug such as `metro-inference`, id such as `bwalloc/MetroInference-v1`, or a path.
        overrides: `{"surge.scale": 2, "intervals": 40}`; see `bwalloc.scenario.overrides`.
        envs: Folder that is searched before `BWALLOC_ENVS` and the shipped catalogue.

    Raises:
        UnknownNameError: If there is no such environment.
        ScenarioError: If the file or an override is broken; names file, key and value.
        TopologyError: If the network does not hang together or a demand cannot be routed.
    """
    path = find(name, envs)
    env, entropy = read_env(path, overrides)
    return build_scenario(env, path, entropy)


def read_env(path: Path, overrides: Mapping[str, Any] | None = None) -> tuple[EnvFile, int]:
    """The checked file with overrides, and the entropy of its worlds: the hash without them."""
    where = _label(path)
    raw = _parse(path, where)
    env = validate(EnvFile, raw, where)
    with _named(where):
        entropy = int(digest_of(env, path)[:16], 16)
    if overrides:
        known = list(leaves(env.model_dump(by_alias=True)))
        tree, written = override(raw, overrides, known, where)
        env = validate(EnvFile, tree, where, written)
    check_classes([*env.classes, *(s.absent_class for s in env.ood if s.absent_class)], where)
    return env, entropy


def build_scenario(env: EnvFile, path: Path, entropy: int) -> Scenario:
    """The scenario that a checked file describes."""
    where = _label(path)
    timing = Timing(**env.time.model_dump(exclude={"source"}))
    with _named(where):
        topology = build_network_topology(env, path, where)
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
        law = build_value_law(economics, of_row, churn)
        groups = build_groups(env, demands, where)
        has_jobs = np.array([name == "bulk_ingest" for name in demands.traffic_class])
        workload = build_workload(env, topology, rows, streams, followed, entropy)
        network = Network(topology, demands, tunnels, law, groups, timing.interval_s)
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
            sizes=Sizes(network.n_demands, network.n_tunnels, network.n_links),
            rival=env.rival.allocator,
        )


def _stream(row: DemandRow, streams: list[Stream], where: str) -> int:
    return stream_of(row, streams, where) if row.section.traffic_class in FOLLOWERS else -1


def _parse(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{where}: is not valid TOML: {error}."
        raise ScenarioError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{where}: cannot be read ({error})."
        raise ScenarioError(msg) from None


def _label(path: Path) -> str:
    """The path as a reader knows it: relative to the working folder where it lies below it."""
    absolute, here = path.resolve(), Path(os.getcwd())
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


@contextmanager
def _named(where: str) -> Generator[None]:
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

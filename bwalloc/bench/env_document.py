"""The document of `bwalloc bench env`: sections that are measured one by one."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwalloc.bench.env_speed import bench_env, peak_memory_mib, reference_cpu_us
from bwalloc.scenario import load_scenario

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario

SECTIONS = ("simulator", "faces", "environments", "demands", "ppo", "mobile")
"""What can be measured, in this order: the simulator alone, through Gymnasium, growing batches,
growing networks, the share of PPO's time, and mobile-env."""


def bench_document(
    env: str,
    sections: Sequence[str],
    seconds: float,
    *,
    mobile_python: Path | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """The figures of `sections`, as JSON takes them.

    A section that cannot be measured here says why under `missing`.

    Args:
        env: name or path of an environment.
        sections: of `SECTIONS`.
        seconds: length of each measurement.
        mobile_python: an interpreter with mobile-env.
        told: hears the name of each section before it is measured.
    """
    scenario = load_scenario(env)
    measure: dict[str, Callable[[], Any]] = {
        "simulator": lambda: [asdict(speed) for speed in bench_env(scenario, seconds)],
        "faces": lambda: _faces(env, scenario, seconds),
        "environments": lambda: _environments(scenario, seconds),
        "demands": lambda: _demands(seconds),
        "ppo": lambda: _ppo(scenario),
        "mobile": lambda: _mobile(mobile_python, seconds),
    }
    document: dict[str, Any] = {"env": scenario.slug, "machine": machine()}
    document["reference_cpu_us"] = reference_cpu_us()
    for name in SECTIONS:
        if name in sections:
            told(name)
            document[name] = measure[name]()
    return {**document, "memory_mib": peak_memory_mib()}


def machine() -> dict[str, Any]:
    """What the figures depend on, without the name of the host."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "numba": find_spec("numba") is not None,
    }


def _faces(env: str, scenario: Scenario, seconds: float) -> list[dict[str, Any]]:
    from bwalloc.bench.env_faces import idle_vector_speed, single_speeds, vector_speed

    vector = [vector_speed(scenario, 64, seconds), idle_vector_speed(scenario, 64, seconds)]
    return [asdict(speed) for speed in (*single_speeds(env, seconds), *vector)]


def _environments(scenario: Scenario, seconds: float) -> list[dict[str, Any]]:
    from bwalloc.bench.env_growth import grow_environments

    grown = grow_environments(scenario, seconds)
    return [{**asdict(speed), "memory_mib": memory} for speed, memory in grown]


def _demands(seconds: float) -> list[dict[str, Any]]:
    from bwalloc.bench.env_growth import grow_demands

    return [asdict(grown) for grown in grow_demands(find_spec("numba") is not None, seconds)]


def _ppo(scenario: Scenario) -> Any:
    if find_spec("stable_baselines3") is None:
        return {"missing": "Stable-Baselines3 is not installed: pip install 'bwalloc[learn]'."}
    from bwalloc.bench.sb3_share import environment_shares

    return [{**asdict(each), "share": each.share} for each in environment_shares(scenario)]


def _mobile(python: Path | None, seconds: float) -> dict[str, Any]:
    if python is None:
        return {"missing": "Give --mobile-python, an interpreter with mobile-env."}
    from bwalloc.bench.mobile_env import mobile_env_speed

    return mobile_env_speed(python, seconds)

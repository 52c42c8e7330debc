"""Gymnasium ids of the environments of the catalogue."""

from __future__ import annotations

import tomllib
from pathlib import Path

import gymnasium

from bwalloc.scenario.catalogue import list_scenarios

NAMESPACE = "bwalloc/"


def register_environments(envs: str | Path | None = None) -> list[str]:
    """Register every environment of the catalogue, and of `envs`; returns their ids.

    A broken file is left out here and refused, with its reason, where it is loaded.
    """
    registered: list[str] = []
    for slug, path in list_scenarios(envs).items():
        try:
            file = tomllib.loads(path.read_text(encoding="utf-8"))
            env_id = str(file["id"])
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError):
            continue
        if not env_id.startswith(NAMESPACE) or env_id in gymnasium.registry:
            continue
        gymnasium.register(
            id=env_id,
            entry_point="bwalloc.gym.env:CloudEdgeEnv",
            vector_entry_point="bwalloc.gym.vector:CloudEdgeVectorEnv",
            reward_threshold=file.get("rival", {}).get("mean_return"),
            kwargs={"env": slug if envs is None else str(path)},
        )
        registered.append(env_id)
    return registered

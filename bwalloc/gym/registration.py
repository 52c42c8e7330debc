"""Gymnasium ids of the environments of the catalogue."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import gymnasium

from bwalloc.scenario.catalogue import list_scenarios

ANY = "bwalloc/CloudEdge-v1"
"""Id of no environment in particular: `gym.make(ANY, env=PATH)`."""
_ID = re.compile(r"[\w.-]+/[A-Za-z][\w.-]*-v\d+")


def register_environments(envs: str | Path | None = None) -> list[str]:
    """Register every environment of the catalogue, and of the folder `envs`; returns the new ids.

    Ids of `envs` replace ids of the same name that another folder registered. A broken file is
    left out here and refused, with its reason, where it is loaded.
    """
    registered = [] if ANY in gymnasium.registry else [_register(ANY, {})]
    for slug, path in list_scenarios(envs).items():
        try:
            file = tomllib.loads(path.read_text(encoding="utf-8"))
            env_id = str(file["id"])
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError):
            continue
        is_asked_for = envs is not None and path.parent == Path(envs)
        if not _ID.fullmatch(env_id) or (env_id in gymnasium.registry and not is_asked_for):
            continue
        gymnasium.registry.pop(env_id, None)
        place = str(path.resolve()) if is_asked_for else slug
        registered.append(_register(env_id, {"env": place}, _threshold(file)))
    return registered


def _register(env_id: str, kwargs: dict[str, Any], threshold: float | None = None) -> str:
    gymnasium.register(
        id=env_id,
        entry_point="bwalloc.gym.env:CloudEdgeEnv",
        vector_entry_point="bwalloc.gym.vector:CloudEdgeVectorEnv",
        reward_threshold=threshold,
        kwargs=kwargs,
    )
    return env_id


def _threshold(file: dict[str, Any]) -> float | None:
    rival = file.get("rival")
    return rival.get("mean_return") if isinstance(rival, dict) else None

"""The digest of an environment: a hash of everything that shapes an episode."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from bwalloc.scenario.fields import LATER

if TYPE_CHECKING:
    from bwalloc.scenario.schema import EnvFile

TEXTS = frozenset({"source", "why", "title", "description", "id"})
TUNED = {
    "history": True,
    "allocators": True,
    "action": True,
    "rival": True,
    "money": {"reward_scale_usd"},
}


def digest_of(env: EnvFile, path: Path) -> str:
    """SHA-256 of the canonical JSON of an environment and of the topology file it names.

    Texts, the version history, tuned constants and the scale of the reward do not count, nor do
    fields marked `LATER` that hold their default.
    """
    left_out = TUNED if env.random else {**TUNED, "random": True}
    tree = env.model_dump(mode="json", by_alias=True, exclude=left_out)
    for place in _unused(env):
        _remove(tree, place)
    tree = _without_texts(tree)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    hashed = hashlib.sha256(text.encode())
    if env.network.file is not None:
        hashed.update((path.parent / env.network.file).read_bytes())
    return hashed.hexdigest()


def _without_texts(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_texts(value) for key, value in tree.items() if key not in TEXTS}
    if isinstance(tree, list):
        return [_without_texts(value) for value in tree]
    return tree


def _unused(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the fields marked `LATER` stand that hold their default, as paths into the dump."""
    if isinstance(node, BaseModel):
        for name, info in type(node).model_fields.items():
            value, here = getattr(node, name), (*place, info.alias or name)
            if LATER in info.metadata and value == info.get_default(call_default_factory=True):
                yield here
            else:
                yield from _unused(value, here)
    elif isinstance(node, dict | list):
        parts = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in parts:
            yield from _unused(value, (*place, key))


def _remove(tree: Any, place: tuple[Any, ...]) -> None:
    """Drop a key of the dump; what is not there was left out for another reason."""
    for step in place[:-1]:
        if isinstance(tree, dict) and step not in tree:
            return
        tree = tree[step]
    tree.pop(place[-1], None)

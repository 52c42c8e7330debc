"""The digest of an environment: a hash of everything that shapes an episode."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    Texts, the version history, tuned constants and the scale of the reward do not count.
    """
    left_out = TUNED if env.random else {**TUNED, "random": True}
    tree = _without_texts(env.model_dump(mode="json", by_alias=True, exclude=left_out))
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

"""Overrides: values of an environment file replaced by dotted key."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from bwalloc.errors import ScenarioError, nearest


def leaves(tree: Any, prefix: str = "") -> Iterator[str]:
    """Dotted keys of everything in `tree` that is no table, and of the tables in lists."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(tree, list | tuple) and any(isinstance(item, Mapping) for item in tree):
        for index, value in enumerate(tree):
            yield from leaves(value, f"{prefix}.{index}")
    else:
        yield prefix


def resolve(key: str, known: list[str], where: str) -> list[str]:
    """Full keys that `key` means: itself, all that match its `*`, or the one key it ends.

    Raises:
        ScenarioError: If it means none, or several without a `*`.
    """
    if key in known:
        return [key]
    if any(mark in key for mark in "*?["):
        found = [name for name in known if fnmatchcase(name, key)]
        if found:
            return found
    else:
        found = [name for name in known if name.endswith(f".{key}")]
        if len(found) == 1:
            return found
        if found:
            msg = f"{where}: override '{key}' could mean {', '.join(found[:6])}: give the full key."
            raise ScenarioError(msg)
    tails = {name.rsplit(".", 1)[-1]: name for name in known}
    hint = nearest(key, known if "." in key else [*known, *tails])
    msg = f"{where}: override '{key}' is no key of this environment. {hint}"
    raise ScenarioError(msg)


def override(
    raw: Mapping[str, Any], overrides: Mapping[str, Any], known: list[str], where: str
) -> tuple[dict[str, Any], set[str]]:
    """A copy of `raw` with every override written in, and the full keys that were written.

    `known` are the dotted keys of the whole file, defaults included. A new key under a table of
    free names (such as `allocators`) may be added by its full name.
    """
    tree = copy.deepcopy(dict(raw))
    written: set[str] = set()
    for key, value in overrides.items():
        for full in _targets(key, known, where):
            _write(tree, _path(full), value)
            written.add(full)
    return tree, written


SPANS = "network.capacity_gbps."
FREE = (
    "allocators.",
    "action.",
    "classes.",
    "enforcement.header_share_by_class.",
    "tunnels.explicit.",
    "failures.",
    "offers.",
    SPANS,
)
"""Tables that take names which the file does not hold yet."""


def _targets(key: str, known: list[str], where: str) -> list[str]:
    if key.startswith(FREE) and key not in known and "*" not in key:
        return [key]
    return resolve(key, known, where)


def _path(full: str) -> list[str]:
    """The steps of a key; what names a span is one step, whatever dots it has."""
    if full.startswith(SPANS):
        return [*SPANS.split(".")[:-1], full.removeprefix(SPANS)]
    return full.split(".")


def _write(tree: dict[str, Any], path: list[str], value: Any) -> None:
    node: Any = tree
    for step in path[:-1]:
        node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
    if isinstance(node, list):
        node[int(path[-1])] = value
    else:
        node[path[-1]] = value

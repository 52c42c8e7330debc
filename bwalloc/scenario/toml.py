"""Writing TOML: what an environment file needs, since the standard library only reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bwalloc.errors import ScenarioError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_of(tree: Mapping[str, Any]) -> str:
    """`tree` as TOML: tables of plain values get a header, tables of the deepest level a line.

    Raises:
        ScenarioError: A value is neither number, text, list nor table.
    """
    return "\n".join(_lines(tree, ())).strip() + "\n"


def _lines(tree: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    tables = {key: value for key, value in tree.items() if isinstance(value, Mapping)}
    nested = {key: value for key, value in tables.items() if _is_nested(value)}
    lines = ["", f"[{'.'.join(map(_key, path))}]"] if path and len(nested) < len(tree) else []
    lines += [
        f"{_key(key)} = {_value(value, (*path, key))}"
        for key, value in tree.items()
        if key not in nested and (path or key not in tables)
    ]
    below = nested if path else tables
    return lines + [line for key, value in below.items() for line in _lines(value, (*path, key))]


def _is_nested(table: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Mapping) for value in table.values())


def _value(value: Any, place: tuple[str, ...]) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_key(str(k))} = {_value(v, (*place, str(k)))}" for k, v in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item, place) for item in value) + "]"
    if isinstance(value, bool | str):
        return _text(value)
    number = value.item() if hasattr(value, "item") else value  # a NumPy scalar
    if isinstance(number, int | float):
        return repr(number)
    msg = f"{'.'.join(place)}: got {value!r}, expected a number, a text, a list or a table."
    raise ScenarioError(msg)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(value: bool | str) -> str:
    """As in JSON, but for the one control character that JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

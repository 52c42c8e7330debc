"""Pieces of Markdown: tables, and texts and numbers made fit for their cells."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

_SPECIAL = re.compile(r"([\\$*_<\[|`])")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def plain(text: str) -> str:
    """A text of people in one line, with nothing in it that Markdown would read as its own."""
    return _escaped(" ".join(text.split()))


def prose(text: str) -> str:
    """As `plain`, but what stands between backticks stays code."""
    parts = " ".join(text.split()).split("`")
    return "`".join(part if place % 2 else _escaped(part) for place, part in enumerate(parts))


def code(text: object) -> str:
    """A name, as it is typed."""
    return f"`{text}`" if str(text) else ""


def codes(names: Iterable[object]) -> str:
    """Names, as they are typed."""
    return ", ".join(code(name) for name in names)


def number(value: float) -> str:
    """A number in four digits; what has no end is said so."""
    if math.isinf(value):
        return "none"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def range_of(values: Iterable[float]) -> str:
    """The one number of many, or their range."""
    array = np.array(list(values), float)
    if not array.size:
        return ""
    low, high = number(array.min()), number(array.max())
    return low if low == high else f"{low} to {high}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)

"""Traces of requests: when each came, and how many tokens it read and wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.errors import TraceError, nearest
from bwalloc.workloads.trace_rows import RawRows, read_rows

if TYPE_CHECKING:
    from jaxtyping import Float

AZURE_COLUMNS = {
    "time": "TIMESTAMP",
    "context": "ContextTokens",
    "generated": "GeneratedTokens",
}
"""Layout of the Azure LLM inference traces 2023 and 2024 (CC-BY-4.0)."""

_TIME = "a time: seconds, or ISO 8601 such as 2023-11-16 18:17:03.9799600"
_COUNT = "a number of tokens, 0 or more"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """Requests in the order of their times.

    Attributes:
        t_s: Seconds from the first request.
        context_tokens: Tokens of each prompt.
        generated_tokens: Tokens of each answer.
        sha256: Digest of the file as it lies on disk.
        rows: Number of requests.
        name: The file; empty if it was made from none.
    """

    t_s: Float[np.ndarray, " rows"]
    context_tokens: Float[np.ndarray, " rows"]
    generated_tokens: Float[np.ndarray, " rows"]
    sha256: str
    rows: int
    name: str = ""

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name or f"Trace {self.sha256[:12]}"

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last request."""
        return float(self.t_s[-1])


def read_request_trace(path: str | Path, columns: Mapping[str, str] | None = None) -> RequestTrace:
    """Read CSV or JSON lines, plain or gzipped; rows out of order are sorted.

    Times are seconds or ISO 8601 (without a zone: UTC). Traces of milliseconds must be converted.

    Args:
        path: File.
        columns: Name in the file of `time`, `context` and `generated`; `AZURE_COLUMNS` where not
            said.

    Raises:
        TraceError: If the file is missing, malformed, truncated or empty; names file, line,
            column, value and remedy.
    """
    named = dict(columns or {})
    for role in named:
        if role not in AZURE_COLUMNS:
            msg = f"columns: got the key '{role}'. {nearest(role, AZURE_COLUMNS)}"
            raise TraceError(msg)
    raw = read_rows(Path(path), {**AZURE_COLUMNS, **named})
    t_s = _times_s(raw)
    context, generated = _tokens(raw, "context"), _tokens(raw, "generated")
    if np.any(np.diff(t_s) < 0.0):
        order = np.argsort(t_s, kind="stable")
        t_s, context, generated = t_s[order], context[order], generated[order]
    return RequestTrace(t_s, context, generated, raw.sha256, t_s.size, str(raw.path))


def _tokens(raw: RawRows, role: str) -> Float[np.ndarray, " rows"]:
    tokens = _numbers(raw, role, _COUNT)
    wrong = np.flatnonzero(~(np.isfinite(tokens) & (tokens >= 0.0)))
    if wrong.size:
        raise raw.refuse(role=role, row=int(wrong[0]), must=_COUNT)
    return tokens


def _times_s(raw: RawRows) -> Float[np.ndarray, " rows"]:
    """Seconds from the earliest row, in the order of the file."""
    cells = raw.cells["time"]
    if _is_number(cells[0]):
        seconds = _numbers(raw, "time", _TIME)
        wrong = np.flatnonzero(~np.isfinite(seconds))
        if wrong.size:
            raise raw.refuse(role="time", row=int(wrong[0]), must=_TIME)
        return seconds - seconds.min()
    try:
        stamps = np.array(_without_zone(cells), "datetime64[ns]")
        wrong = np.flatnonzero(np.isnat(stamps))
    except (TypeError, ValueError):
        return _times_one_by_one(raw)
    if wrong.size:
        raise raw.refuse(role="time", row=int(wrong[0]), must=_TIME)
    return (stamps - stamps.min()).astype(np.int64) * 1e-9


def _without_zone(cells: Sequence[Any]) -> list[str]:
    """Stamps NumPy can read at 100 ns.

    Raises:
        ValueError: If a cell is no string of date and time, or has a zone other than Z.
    """
    bare = [cell.strip().removesuffix("Z") if isinstance(cell, str) else "" for cell in cells]
    for cell in bare:
        if len(cell) < 16 or "+" in cell or "-" in cell[10:]:
            raise ValueError(cell)
    return bare


def _times_one_by_one(raw: RawRows) -> Float[np.ndarray, " rows"]:
    """Times with zones, at a microsecond; also finds the row that is no time."""
    micros = np.empty(len(raw.lines), np.int64)
    for row, cell in enumerate(raw.cells["time"]):
        try:
            stamp = datetime.fromisoformat(cell.strip())
        except (AttributeError, ValueError) as error:
            raise raw.refuse(role="time", row=row, must=_TIME) from error
        known = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        since = known - _EPOCH
        micros[row] = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return (micros - micros.min()) * 1e-6


def _numbers(raw: RawRows, role: str, must: str) -> Float[np.ndarray, " rows"]:
    cells = raw.cells[role]
    numbers = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            numbers[row] = np.nan if isinstance(cell, bool) else float(cell)
        except (OverflowError, TypeError, ValueError) as error:
            raise raw.refuse(role=role, row=row, must=must) from error
    return numbers


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (OverflowError, TypeError, ValueError):
        return False
    return not isinstance(cell, bool)

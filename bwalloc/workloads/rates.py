"""Measured request rates in bins of minutes, such as those of ServeGen, and their replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import TraceError, nearest, unknown_name
from bwalloc.workloads.requests import draw_intensity
from bwalloc.workloads.trace_rows import read_rows

if TYPE_CHECKING:
    from jaxtyping import Float

    from bwalloc.workloads.clock import Clock
    from bwalloc.workloads.columns import Column
    from bwalloc.workloads.requests import RequestSpec
    from bwalloc.workloads.trace_rows import RawRows

RATE_COLUMNS = {"model": "model", "time": "t_s", "rate": "rate_rps"}
"""Layout of the rates of ServeGen, summed over clients in bins of 10 minutes."""
RATE_SEGMENTS = {
    "train": (0.0, 9.0 / 14.0),
    "validation": (9.0 / 14.0, 11.0 / 14.0),
    "test": (11.0 / 14.0, 1.0),
    "ood": (11.0 / 14.0, 1.0),
}
"""Share of the duration that each split plays: days 0 to 8, 9 and 10, 11 to 13 of ServeGen's
fortnight. Its last days hold a dip and a rebound that the first ones do not (our choice)."""
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class RateSeries:
    """The request rate of one service by bin; only its shape counts, so its level may be any.

    Attributes:
        t_s: Start of each bin, seconds from a midnight.
        rate_rps: Requests per second; bins of 0 are missing, and bridged.
        model: Name of the service in the file.
        sha256: Digest of the file as it lies on disk.
        name: The file.
    """

    t_s: Float[np.ndarray, " rows"]
    rate_rps: Float[np.ndarray, " rows"]
    model: str
    sha256: str
    name: str

    @property
    def rows(self) -> int:
        """Number of bins."""
        return len(self.t_s)

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the first bin to the end of the last one."""
        return float(self.t_s[-1] - self.t_s[0] + np.median(np.diff(self.t_s)))


def read_rates(
    path: str | Path, model: str = "", columns: Mapping[str, str] | None = None
) -> RateSeries:
    """Read rates from CSV or JSON lines, plain or gzipped.

    Args:
        path: File.
        model: Which of the file's models; may be left out where it holds one.
        columns: Name in the file of `model`, `time` and `rate`; `RATE_COLUMNS` where not said.

    Raises:
        TraceError: If the file is missing, malformed or too short; names file and remedy.
        UnknownNameError: If it has no such model.
    """
    for role in columns or {}:
        if role not in RATE_COLUMNS:
            msg = f"columns: got the key '{role}'. {nearest(role, RATE_COLUMNS)}"
            raise TraceError(msg)
    raw = read_rows(Path(path), {**RATE_COLUMNS, **(columns or {})})
    models = np.array([str(cell) for cell in raw.cells["model"]])
    wanted = _model(raw, model, list(dict.fromkeys(models.tolist())))
    rows = np.flatnonzero(models == wanted)
    t_s, rate = (_numbers(raw, role, rows) for role in ("time", "rate"))
    order, known = np.argsort(t_s, kind="stable"), rate > 0.0
    if known.sum() < 2 or (np.diff(t_s[order]) <= 0.0).any():
        msg = f"{path}, model '{wanted}': must be 2 bins or more that are not 0, at distinct times."
        raise TraceError(msg + " Use another file.")
    t_s, rate, known = t_s[order], rate[order], known[order]
    rate[~known] = np.interp(t_s[~known], t_s[known], rate[known])
    return RateSeries(t_s, rate, wanted, raw.sha256, str(path))


def replay_intensity(
    rng: np.random.Generator,
    spec: RequestSpec,
    clock: Clock,
    series: RateSeries,
    split: str,
) -> Float[np.ndarray, "steps services"]:
    """Requests per second of each service: measured from bin to bin, drawn within minutes.

    Measured rates hold season, levels and surges, so none of them is drawn; seconds are.

    Args:
        rng: As for `draw_intensity`, and parent of one child for the day (or the offset) at which
            each service starts.
        spec: Services and their law; each keeps its own mean.
        clock: Steps to play.
        series: Rates.
        split: Key of `RATE_SEGMENTS`.

    Raises:
        UnknownNameError: If there is no such split.
    """
    seconds = replace(
        spec,
        season=("flat",) * len(spec.services),
        day_level_sd=0.0,
        within_day_sd=0.0,
        chat_slow_sd=0.0,
        code_slow_sd=0.0,
        surges_per_day=0.0,
        churn=0.0,
    )
    intensity = draw_intensity(rng, seconds, clock)
    (offsets,) = rng.spawn(1)
    return intensity * _shape(series, split, offsets, clock, spec.utc_offset_h, intensity.shape[1])


def _shape(
    series: RateSeries,
    split: str,
    rng: np.random.Generator,
    clock: Clock,
    utc_offset_h: Column,
    columns: int,
) -> Float[np.ndarray, "steps columns"]:
    """Rate over its mean, each column from a day of its own at the local hour of the clock.

    A segment shorter than a day is played from any offset.
    """
    if split not in RATE_SEGMENTS:
        raise unknown_name(kind="split", name=split, known=RATE_SEGMENTS, remedy="Use one of them.")
    low_s, high_s = (series.t_s[0] + share * series.duration_s for share in RATE_SEGMENTS[split])
    first, last = np.ceil(low_s / DAY_S - 1e-9), np.floor(high_s / DAY_S + 1e-9)
    days, drawn = int(last - first), rng.uniform(0.0, 1.0, columns)
    if days >= 1:
        low_s, length_s = first * DAY_S, days * DAY_S
        hours = (clock.start_h + np.broadcast_to(np.asarray(utc_offset_h), columns)) % 24.0
        offset_s = np.floor(drawn * days) * DAY_S + hours * 3600.0
    else:
        length_s = high_s - low_s
        offset_s = drawn * length_s
    knots = clock.knots()
    at_s = low_s + (offset_s + knots.times_s()[:, None]) % length_s
    middle_s = series.t_s + np.median(np.diff(series.t_s)) / 2.0
    factors = np.interp(at_s, middle_s, series.rate_rps / series.rate_rps.mean())
    return clock.between_knots(factors.astype(np.float32))


def _model(raw: RawRows, model: str, known: list[str]) -> str:
    if not model and len(known) > 1:
        msg = f"{raw.path}: holds {', '.join(known)}. Say which, as PATH#{known[0]} (in Python "
        msg += f"`model='{known[0]}'`)."
        raise TraceError(msg)
    if model and model not in known:
        raise unknown_name(
            kind="model", name=model, known=known, remedy=f"{raw.path} holds these only."
        )
    return model or known[0]


def _numbers(raw: RawRows, role: str, rows: np.ndarray) -> Float[np.ndarray, " rows"]:
    numbers = np.empty(len(rows))
    for place, row in enumerate(rows.tolist()):
        try:
            numbers[place] = float(raw.cells[role][row])
        except (TypeError, ValueError):
            numbers[place] = np.nan
        if not 0.0 <= numbers[place] < np.inf:
            raise raw.refuse(role=role, row=row, must="a number of 0 or more")
    return numbers
